"""Who may import whom: read from the code itself, one rule a test."""

import ast
import json
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.helpers import CORE, PROJECT

# What lies directly in mnist_core/ may import what is in an earlier layer; within a layer modules
# may import each other, and folders may not.
CORE_LAYERS = [
    {"errors", "progress", "logs", "architecture"},
    {"config", "data"},
    {"sweeps", "keras_script", "classifier", "checkpoint"},
    {"drawing", "analysis", "store"},
    {"plots", "training", "shipped"},
    {"jobs"},
    {"__main__"},
]
# The folders in pages/; the pages themselves come after all of them.
PAGE_LAYERS = [{"server"}, {"shared"}, {"components"}]

FRAMEWORKS = {"tensorflow", "keras"}
# Outside of training these alone import it or TensorFlow, and only when called: in no server.
WHEN_CALLED = {
    "jobs/download.py",
    "jobs/dask_pool.py",
    "jobs/follow.py",
    "jobs/worker.py",
    "__main__.py",
}


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*.py") if path.name != "__init__.py")


def imports(path: Path, everywhere: bool = True) -> set[str]:
    """Full names of all that a file imports; also within functions, if wished."""
    tree = ast.parse(path.read_text())
    found = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relative to itself"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def roots(path: Path, everywhere: bool = True) -> set[str]:
    """The packages that a file imports."""
    return {name.split(".")[0] for name in imports(path, everywhere)}


def is_training(name: str) -> bool:
    """Whether this is ``mnist_core.training``, the worker, or something in them."""
    return f"{name}.".startswith(("mnist_core.training.", "mnist_core.jobs.worker."))


def part(path: Path, root: Path) -> str:
    """The folder or module directly in ``root`` that a file belongs to."""
    return path.relative_to(root).parts[0].removesuffix(".py")


def upward(root: Path, layers: list[set[str]], last: int) -> list[str]:
    """Imports, within a package, of what is beside or above the file that imports it.

    Args:
        last: the layer of whatever ``layers`` does not name.
    """
    layer = {name: number for number, names in enumerate(layers) for name in names}
    offenders = []
    for path in files(root):
        here = part(path, root)
        for name in sorted(imports(path)):
            package, _, rest = name.partition(".")
            there = rest.split(".")[0]
            if package != root.name or there == here or not rest:
                continue
            apart = layer.get(there, last) - layer.get(here, last)
            # Pages, which no layer names, do not import each other either.
            both_modules = not (root / here).is_dir() and not (root / there).is_dir()
            if apart > 0 or (apart == 0 and not (both_modules and here in layer)):
                offenders.append(f"{path.relative_to(PROJECT)} imports {name}")
    return offenders


def test_imports_point_one_way():
    assert upward(CORE, CORE_LAYERS, len(CORE_LAYERS)) == []
    assert upward(PROJECT / "pages", PAGE_LAYERS, len(PAGE_LAYERS)) == []


def test_no_imports_go_in_a_circle():
    modules = {}
    for path in [*files(CORE), *files(PROJECT / "pages")]:
        name = ".".join(path.relative_to(PROJECT).with_suffix("").parts)
        modules[name] = imports(path, everywhere=False)
    graph = {
        name: {
            other
            for other in modules
            if other in found or any(f.startswith(f"{other}.") for f in found)
        }
        for name, found in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" imports ".join(error.args[1])) from None


def test_the_core_knows_nothing_of_streamlit_and_of_pages():
    outside = {"streamlit", "streamlit_drawable_canvas", "pages", "dashboard", "tests"}
    assert [path for path in files(CORE) if roots(path) & outside] == []


def test_only_training_loads_tensorflow():
    wrong = []
    for path in files(CORE):
        name = path.relative_to(CORE).as_posix()
        if part(path, CORE) != "training":
            found = imports(path, everywhere=name not in WHEN_CALLED)
            if any(one.split(".")[0] in FRAMEWORKS or is_training(one) for one in found):
                wrong.append(name)
    assert wrong == []


def test_only_plots_draw():
    assert {part(path, CORE) for path in files(CORE) if "plotly" in roots(path)} == {"plots"}


def test_the_server_never_imports_what_trains():
    served = [PROJECT / "dashboard.py", *files(PROJECT / "pages")]
    assert [
        f"{path.relative_to(PROJECT)} imports {name}"
        for path in served
        for name in imports(path)
        if name.split(".")[0] in FRAMEWORKS or is_training(name)
    ] == []


def test_the_dashboard_is_a_router_only():
    path = PROJECT / "dashboard.py"
    assert "streamlit" in roots(path)
    assert not roots(path) & (FRAMEWORKS | {"numpy", "sqlalchemy", "plotly"})


def test_what_the_server_imports_brings_no_tensorflow_and_no_pandas():
    code = (
        "import json, sys\n"
        "from mnist_core import shipped, classifier\n"
        "from mnist_core.store import database, runs, tasks\n"
        "from mnist_core.jobs import opening\n"
        "opening.open_pool(database.Database()).tend()\n"
        "from mnist_core import drawing, data, config\n"
        "from mnist_core.plots import html, report\n"
        "from mnist_core.analysis import label_errors, map_study, metrics, neighbours, summary\n"
        "from mnist_core.classifier import Classifier\n"
        "Classifier.bundled('classic').predict_proba(data.load_dataset().x_test[:1])\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(answer.stdout))
    assert "ai_edge_litert" in loaded
    assert not loaded & {"tensorflow", "keras", "pandas", "sklearn", "jax", "torch", "streamlit"}
    assert not loaded & {"dask", "distributed"}
