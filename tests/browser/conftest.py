"""A real server and a real browser."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.browser.server import CHROMIUM_FLAGS, Server
from tests.helpers import PROJECT, Store


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        yield running
        running.close()


@pytest.fixture(scope="session")
def contexts(chromium) -> Iterator[dict[str, Any]]:
    """One browser context a device, because the next page of the same context has the scripts
    and styles of the one before in its cache."""
    devices = {
        "wide": {"viewport": {"width": 1366, "height": 900}},
        "phone": {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True},
    }
    opened = {name: chromium.new_context(**options) for name, options in devices.items()}
    for context in opened.values():
        context.set_default_timeout(30_000)
    yield opened
    for context in opened.values():
        context.close()


def new_page(context: Any) -> Iterator[Any]:
    """A page of a visitor who was never here; nothing of it is left afterwards."""
    yield context.new_page()
    for page in context.pages:
        page.evaluate("if (location.protocol === 'http:') localStorage.clear()")
        page.close()
    context.clear_cookies()


@pytest.fixture
def wide(contexts):
    """A page as on a laptop."""
    yield from new_page(contexts["wide"])


@pytest.fixture
def phone(contexts):
    """A page as on a phone, with touch."""
    yield from new_page(contexts["phone"])


@pytest.fixture
def new_server(tmp_path) -> Iterator[object]:
    """Start servers; they end with the test."""
    servers: list[Server] = []

    def start(project: Path = PROJECT, **environ: str) -> Server:
        folder = tmp_path / str(len(servers))
        folder.mkdir()
        servers.append(Server(folder, project, **environ))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def runs_of() -> Iterator[Callable[[Server], Store]]:
    """Open the database of a server: ``runs_of(server)``."""
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(closing(Store(server.database_url)))


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """One server for the tests of a file; it trains, and there is nothing to download from."""
    running = Server(
        tmp_path_factory.mktemp("server"), MNIST_WORKERS="1", https_proxy="http://127.0.0.1:9"
    )
    yield running
    running.stop()
