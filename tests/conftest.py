"""Fixtures for all tests: no test touches a person's files or the internet."""

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mnist_core import data, logs
from mnist_core.analysis import maps
from tests import databases, extras
from tests.helpers import Store, cut

# The files that take longest, in the order in which two processes take them
# (--no-loadscope-reorder): a browser keeps both cores busy, and real workers leave them idle, so
# one of each at a time.
LONGEST = (
    "browser/test_pages.py",
    "processes/test_faults.py",
    "browser/test_accessibility.py",
    "processes/test_cluster.py",
    "browser/test_charts.py",
    "processes/test_outages.py",
    "browser/test_digits.py",
    "jobs/test_worker.py",
    "browser/test_hosting.py",
    "store/test_runs.py",
    "browser/test_lesson.py",
    "processes/test_servers.py",
)


@pytest.fixture(scope="module", autouse=True)
def little_garbage() -> None:
    """Exclude what earlier files left behind from garbage collection. With TensorFlow loaded
    each collection takes a fifth of a second, and AppTest does one after every run."""
    gc.freeze()


@pytest.fixture(autouse=True)
def user_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything that a person would keep goes into a folder of this test's own."""
    monkeypatch.setenv("MNIST_DATABASE_URL", f"sqlite:///{tmp_path / 'runs.db'}")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("MNIST_WORKERS", "0")
    monkeypatch.delenv("MNIST_DATA", raising=False)
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    return tmp_path


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests marked "databases" on each of them, unless also marked "sqlite"."""
    marked = metafunc.definition.get_closest_marker
    if "database_url" in metafunc.fixturenames and marked("databases") and not marked("sqlite"):
        postgres = pytest.param("postgres", marks=extras.needs("postgres"))
        metafunc.parametrize("database_url", ["sqlite", postgres], indirect=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest files first."""
    place = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(LONGEST)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips", action="store_true", help="fail if any test is skipped, as CI does"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs something this machine lacks."""
    for name in (name for mark in item.iter_markers("needs") for name in mark.args):
        if reason := extras.missing(name):
            if name == "browser" and os.environ.get("MNIST_REQUIRE_BROWSER"):
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--no-skips") and not hasattr(session.config, "workerinput"):
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter and reporter.stats.get("skipped") and not session.exitstatus:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def postgres() -> Iterator[databases.Postgres]:
    """One server for the whole session."""
    with databases.Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def psutil() -> ModuleType:
    """What the system knows about a process: its children, threads and ports."""
    import psutil

    return psutil


@pytest.fixture
def database_url(
    request: pytest.FixtureRequest, user_data: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """An empty database of this test's own, which MNIST_DATABASE_URL names."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield f"sqlite:///{user_data / 'runs.db'}"
        return
    server = request.getfixturevalue("postgres")
    url = server.database()
    monkeypatch.setenv("MNIST_DATABASE_URL", url)
    yield url
    server.drop(url)


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Undo what a test that sets up the log, such as any that opens a page, does to it."""
    yield
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, logs.StandardError)]:
        root.removeHandler(handler)
    for name in logs.OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def sample() -> data.Dataset:
    """The bundled sample: 4,000 and 1,000 digits."""
    return data.Dataset(*data.read(data.SAMPLE_PATH), "sample")


@pytest.fixture(scope="session")
def tiny_dataset(sample: data.Dataset) -> data.Dataset:
    """400 and 100 digits of the bundled sample, equally many of each digit."""
    return cut(sample, train=40, test=10)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An open, empty database of runs."""
    opened = Store(database_url)
    yield opened
    opened.close()


@pytest.fixture
def mapped(monkeypatch):
    """Replace t-SNE by something quick; the features that it was given."""
    kept = []

    def tsne(features):
        kept.append(features)
        return features[:, :2]

    monkeypatch.setattr(maps, "tsne", tsne)
    return kept


@pytest.fixture
def cache(tmp_path):
    """Where Keras's file would be."""
    path = tmp_path / "keras" / "datasets" / "mnist.npz"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def other_dataset(sample):
    """A dataset that cannot be taken for the tiny one."""
    return cut(sample, train=20, test=5)
