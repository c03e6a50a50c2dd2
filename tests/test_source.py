"""What the code must never do, read from the code itself: strangers send data, never programs."""

import ast
from collections.abc import Iterator

from tests.extras import EXTRAS
from tests.helpers import PROJECT

SOURCES = {
    path.relative_to(PROJECT).as_posix(): ast.parse(path.read_text())
    for folder in ("pages", "mnist_core")
    for path in [PROJECT / "dashboard.py", *sorted((PROJECT / folder).rglob("*.py"))]
}
# They run whatever is in a file.
RUN_WHAT_THEY_READ = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "imp"}
RUN_TEXT = {"eval", "exec", "compile", "__import__", "load_model", "system", "popen"}
RUN_TEXT |= {"import_module"}
OPEN_PORTS = {"bind", "listen", "create_server", "serve_forever"}


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every import anywhere in a file: its line, and the package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name.split(".")[0]) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, str(node.module).split(".")[0]


def calls() -> Iterator[tuple[str, str, dict[str | None, object]]]:
    """Every call in the code: where, what is called, and its keywords that are constants."""
    for path, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                options = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
                yield f"{path}:{node.lineno}", ast.unparse(node.func), options


def last_word(called: str) -> str:
    return called.rpartition(".")[2]


def test_no_data_is_ever_run():
    wrong = [
        f"{path}:{line} imports {package}"
        for path, tree in SOURCES.items()
        for line, package in imports(tree)
        if package in RUN_WHAT_THEY_READ
    ]
    wrong += [
        f"{place} calls {called}"
        for place, called, _ in calls()
        if last_word(called) in RUN_TEXT and called != "re.compile"
    ]
    assert wrong == []


def test_arrays_are_read_without_pickle():
    reading = [
        (place, options)
        for place, called, options in calls()
        if called in ("np.load", "np.save", "numpy.load")
    ]
    assert reading
    assert [place for place, options in reading if options.get("allow_pickle") is not False] == []


def test_no_shell_is_started_and_no_port_is_opened():
    assert [
        f"{place} calls {called}"
        for place, called, options in calls()
        if "shell" in options or (last_word(called) in OPEN_PORTS and called != "sa.event.listen")
    ] == []


def test_only_the_pool_starts_processes():
    starting = {
        path
        for path, tree in SOURCES.items()
        for _, package in imports(tree)
        if package == "subprocess"
    }
    assert starting == {"mnist_core/jobs/local_pool.py"}


def test_tests_ask_for_what_is_beyond_requirements_in_one_way():
    """With ``needs``: an import at the top of a file would end the run where it is missing."""
    beyond = {package for extra in EXTRAS.values() for package in extra.packages}
    trees = {path: ast.parse(path.read_text()) for path in (PROJECT / "tests").rglob("*.py")}
    assert [
        f"{path.relative_to(PROJECT)}:{line} imports {package}"
        for path, tree in trees.items()
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for line, package in imports(node)
        if package in beyond
    ] == []
    assert [
        f"{path.relative_to(PROJECT)}:{node.lineno}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "importorskip"
    ] == []
