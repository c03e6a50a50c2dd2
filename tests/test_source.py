"""What the code must never do, read from the code itself: strangers send data, never programs."""

import ast
from collections.abc import Iterator

import pytest

from tests.helpers import PROJECT

SOURCES = [
    PROJECT / "dashboard.py",
    *sorted((PROJECT / "pages").glob("*.py")),
    *sorted((PROJECT / "mnist_core").glob("*.py")),
]
# They run whatever is in a file.
RUN_WHAT_THEY_READ = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "imp"}
CALLS = {"eval", "exec", "compile", "__import__", "load_model", "system", "popen", "import_module"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call, and the last word of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield node.func.attr, node
            elif isinstance(node.func, ast.Name):
                yield node.func.id, node


def options(call: ast.Call) -> dict[str | None, object]:
    return {word.arg: getattr(word.value, "value", None) for word in call.keywords}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_data_is_ever_run(path):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots = {name.name.split(".")[0] for name in node.names}
            assert not roots & RUN_WHAT_THEY_READ
        elif isinstance(node, ast.ImportFrom):
            assert str(node.module).split(".")[0] not in RUN_WHAT_THEY_READ
    for name, call in calls(tree):
        of_re = ast.unparse(call.func) == "re.compile"
        assert name not in CALLS or of_re, f"line {call.lineno}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_arrays_are_read_without_pickle(path):
    for _, call in calls(ast.parse(path.read_text())):
        if ast.unparse(call.func) in ("np.load", "np.save", "numpy.load"):
            assert options(call).get("allow_pickle") is False, f"line {call.lineno}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_shell_is_started_and_no_port_is_opened(path):
    for name, call in calls(ast.parse(path.read_text())):
        assert "shell" not in options(call), f"line {call.lineno}"
        of_events = ast.unparse(call.func) == "sa.event.listen"
        assert of_events or name not in ("bind", "listen", "create_server", "serve_forever")


def test_only_the_pool_starts_processes():
    starting = {
        path.stem
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import) and any(n.name == "subprocess" for n in node.names)
    }
    assert starting == {"jobs"}
