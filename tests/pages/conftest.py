"""The pages without a browser: Streamlit's own AppTest, from the entrance on."""

import sys
from types import ModuleType

import pytest
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import AppTest

from mnist_core import data
from mnist_core.jobs import pool
from pages.server import served
from tests.helpers import PROJECT, write_archive
from tests.pages.helpers import Canvas

# The pages as compiled once, for all tests.
SCRIPTS = ScriptCache()


class WarmPagesManager(PagesManager):
    """As on a server that has shown the dashboard once: every run goes through it.

    AppTest starts each run as on a fresh server, where Streamlit takes the folder pages/
    for its older kind of app and runs a page without the dashboard around it.
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        PagesManager.uses_pages_directory = False


@pytest.fixture
def warm_server(monkeypatch):
    """The dashboard was shown before."""
    monkeypatch.setattr("streamlit.testing.v1.app_test.PagesManager", WarmPagesManager)


@pytest.fixture(autouse=True)
def empty_server(monkeypatch, tmp_path, sample):
    """A server that has cached nothing, and whose pool starts no processes."""
    st.cache_resource.clear()
    # Nothing tends the workers in the background; tests/jobs/test_pool.py is about that.
    monkeypatch.setattr(pool.Pool, "start", lambda pool: pool)
    monkeypatch.setattr(served, "STATIC", tmp_path / "static")
    # To read the sample, compile the pages and look for components again in each test would
    # be half of the time that all of them take.
    arrays, read = (sample.x_train, sample.y_train, sample.x_test, sample.y_test), data.read
    monkeypatch.setattr(
        data, "read", lambda path: arrays if path == data.SAMPLE_PATH else read(path)
    )
    monkeypatch.setattr("streamlit.testing.v1.local_script_runner.ScriptCache", lambda: SCRIPTS)
    monkeypatch.setattr(
        "streamlit.components.v2.manifest_scanner.scan_component_manifests", lambda: []
    )
    yield
    st.cache_resource.clear()


@pytest.fixture(autouse=True)
def canvas(monkeypatch) -> Canvas:
    """What stands in for the drawing component, which needs a browser."""
    double = Canvas()
    module = ModuleType("streamlit_drawable_canvas")
    module.st_canvas = double
    monkeypatch.setitem(sys.modules, "streamlit_drawable_canvas", module)
    # Only now: without the double the import would ask for a browser.
    from pages.components import canvas as canvas_module

    monkeypatch.setattr(canvas_module, "st_canvas", double)
    return double


@pytest.fixture
def open_page(warm_server):
    """Open an address in a new browser tab: ``open_page("train", token="x", epochs="3")``.

    A tab with a token is that visitor's, one without is of somebody who was never here.
    """

    def open_page(
        name: str = "overview", token: str | None = None, **query: str | list[str]
    ) -> AppTest:
        tab = AppTest.from_file(PROJECT / "dashboard.py", default_timeout=30)
        if token is not None:
            tab.session_state["visitor"] = token
            tab.session_state["visitor_known"] = True
        tab.query_params = {"goto": name, **query}
        return tab.run()

    return open_page


@pytest.fixture
def full_data(tiny_dataset, tmp_path, monkeypatch) -> data.Dataset:
    """What the pages show is this file, and not the bundled sample."""
    path = write_archive(tmp_path / "full" / "mnist.npz", tiny_dataset)
    monkeypatch.setenv("MNIST_DATA", str(path))
    return tiny_dataset


@pytest.fixture
def may_train(monkeypatch) -> None:
    """The server may have workers, so that downloads and runs will be taken."""
    monkeypatch.setenv("MNIST_WORKERS", "1")
