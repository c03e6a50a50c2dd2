"""Who may import whom: the rules of the design, read from the code itself."""

import ast
import json
import subprocess
import sys
from pathlib import Path

from tests.helpers import CORE, PROJECT

# Modules may import those of lower rooms only.
ROOMS = [
    {"config", "architecture", "errors", "progress", "logs", "rates"},
    {
        "checkpoint",
        "script",
        "sweeps",
        "data",
        "drawing",
        "strokes",
        "photo",
        "paper",
        "calibration",
        "looks",
        "models",
        "augmentation",
    },
    {
        "training",
        "export",
        "classifier",
        "evaluation",
        "confidence",
        "comparison",
        "explanation",
        "glance",
        "neighbours",
        "maps",
    },
    {"schema", "runs", "shipped", "forecast", "studies", "suspects"},
    {"worker", "jobs"},
    {"charts", "markup"},
    {"report"},
    {"__main__"},
]
# Within a room, these go on.
WITHIN = {
    ("config", "errors"),
    ("config", "architecture"),
    ("architecture", "errors"),
    ("drawing", "data"),
    ("models", "data"),
    ("augmentation", "data"),
    ("strokes", "data"),
    ("strokes", "drawing"),
    ("paper", "drawing"),
    ("photo", "drawing"),
    ("photo", "paper"),
    ("confidence", "evaluation"),
    ("export", "classifier"),
    ("runs", "schema"),
    ("studies", "schema"),
    ("studies", "runs"),
    ("shipped", "runs"),
    ("forecast", "runs"),
    # Of which it is a part in the processes of a cluster, and only there.
    ("jobs", "worker"),
}
FRAMEWORKS = {"tensorflow", "keras"}
# The only ones that load TensorFlow, at once or when called; the server imports none of them
# but data, whose download runs in the worker, and suspects, whose search the command line runs.
WITH_TENSORFLOW = {"models", "augmentation", "training", "export"}
WITH_TENSORFLOW_WHEN_CALLED = {"data", "suspects", "worker", "__main__"}

# What pages have in common; all else in pages/ is a page, which knows no other.
SHARED = {
    "shared",
    "bounded",
    "turnstile",
    "host",
    "memory",
    "presenter",
    "live_chart",
    "canvas",
    "settings",
    "served",
    "gallery",
    "digit_map",
    "detail",
    "limits",
    "messages",
    "teacher",
    "uploads",
    "waiting",
}
# Among what they have in common, these go on.
AMONG_SHARED = {
    ("shared", "bounded"),
    ("shared", "host"),
    ("host", "memory"),
    ("shared", "served"),
    ("shared", "turnstile"),
    ("shared", "presenter"),
    ("settings", "presenter"),
    ("shared", "limits"),
    ("shared", "messages"),
    ("shared", "uploads"),
    ("teacher", "limits"),
    ("live_chart", "served"),
    ("live_chart", "shared"),
    ("live_chart", "presenter"),
    ("digit_map", "live_chart"),
    ("detail", "shared"),
    ("detail", "gallery"),
    ("waiting", "shared"),
}

MODULES = sorted(path.stem for path in CORE.glob("*.py") if path.stem != "__init__")


def imports(path: Path, everywhere: bool = True) -> set[str]:
    """Full names of all modules a file imports; also those within functions, if wished."""
    tree = ast.parse(path.read_text())
    found = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relative to itself"
            found.add(node.module)
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def roots(path: Path) -> set[str]:
    """The packages a file imports."""
    return {name.split(".")[0] for name in imports(path)}


def of_core(path: Path) -> set[str]:
    """Names of the core's modules that a file imports."""
    parts = [name.split(".") for name in imports(path) if name.startswith("mnist_core.")]
    return {part[1] for part in parts if (CORE / f"{part[1]}.py").exists()}


def room(module: str) -> int:
    return next(place for place, modules in enumerate(ROOMS) if module in modules)


def test_every_module_has_a_room():
    assert sorted(module for modules in ROOMS for module in modules) == MODULES


def test_imports_point_one_way():
    assert [
        f"{module} must not import {imported}"
        for module in MODULES
        for imported in of_core(CORE / f"{module}.py")
        if room(imported) >= room(module) and (module, imported) not in WITHIN
    ] == []


def test_the_core_knows_nothing_of_streamlit_and_of_pages():
    outside = {"streamlit", "streamlit_drawable_canvas", "pages", "dashboard", "tests"}
    wrong = {module: roots(CORE / f"{module}.py") & outside for module in MODULES}
    assert {module: found for module, found in wrong.items() if found} == {}


def test_tensorflow_is_loaded_by_those_only_who_train():
    training = {f"mnist_core.{module}" for module in WITH_TENSORFLOW}
    wrong = {}
    for module in set(MODULES) - WITH_TENSORFLOW:
        # Some may when they are called; nobody else may as soon as it is imported.
        path, when_called = CORE / f"{module}.py", module in WITH_TENSORFLOW_WHEN_CALLED
        found = imports(path, everywhere=not when_called)
        wrong[module] = {name for name in found if name.split(".")[0] in FRAMEWORKS}
        wrong[module] |= found & training
    assert {module: found for module, found in wrong.items() if found} == {}


def test_only_charts_draw():
    drawing = {module for module in MODULES if "plotly" in roots(CORE / f"{module}.py")}
    assert drawing == {"charts"}


def test_the_server_never_imports_the_worker():
    for path in [*(PROJECT / "pages").glob("*.py"), PROJECT / "dashboard.py"]:
        assert "worker" not in of_core(path), path
    assert "mnist_core.worker" not in imports(CORE / "jobs.py", everywhere=False)


def test_pages_import_only_what_they_share_and_the_core():
    for path in (PROJECT / "pages").glob("*.py"):
        names = imports(path)
        assert not any(name.split(".")[0] == "dashboard" for name in names), path
        own = {name.split(".")[1] for name in names if name.startswith("pages.")}
        own &= {other.stem for other in (PROJECT / "pages").glob("*.py")}
        among = {other for name, other in AMONG_SHARED if name == path.stem}
        assert own <= (among if path.stem in SHARED else SHARED), f"{path.name} imports {own}"
        assert not roots(path) & FRAMEWORKS, path
        assert not of_core(path) & WITH_TENSORFLOW, path


def test_the_dashboard_is_a_router_only():
    path = PROJECT / "dashboard.py"
    assert "streamlit" in roots(path)
    assert not roots(path) & (FRAMEWORKS | {"numpy", "sqlalchemy", "plotly"})


def test_what_the_server_imports_brings_no_tensorflow_and_no_pandas():
    code = (
        "import json, sys\n"
        "from mnist_core import jobs, runs, shipped, classifier, evaluation\n"
        "jobs.open_pool(runs.RunStore()).tend()\n"
        "from mnist_core import drawing, data, config\n"
        "from mnist_core import glance, maps, neighbours, studies, suspects\n"
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
