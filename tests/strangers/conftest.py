"""A real server on the open internet, for strangers without a browser."""

from collections.abc import Callable, Iterator

import pytest

from tests.browser.server import Server
from tests.strangers.client import Stranger

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """One for all tests of a file; its teacher's password stands in a file of secrets."""
    home = tmp_path_factory.mktemp("home")
    (home / ".streamlit").mkdir()
    (home / ".streamlit" / "secrets.toml").write_text(f'MNIST_TEACHER_PASSWORD = "{PASSWORD}"\n')
    running = Server(
        tmp_path_factory.mktemp("server"),
        HOME=str(home),
        # As on the internet: who connects is no proxy, though from this machine.
        FORWARDED_ALLOW_IPS="192.0.2.1",
        MNIST_WORKERS="0",
        https_proxy="http://127.0.0.1:9",
    )
    yield running
    running.stop()


@pytest.fixture(scope="module")
def first_page(server) -> Stranger:
    """The very first session of the server, on Train; hung up."""
    with Stranger(server) as first:
        return first.open("train")


@pytest.fixture
def stranger(server, first_page) -> Iterator[Callable[..., Stranger]]:
    """Connect to a server that was visited before; hung up with the test."""
    connected: list[Stranger] = []

    def connect(**headers: str) -> Stranger:
        connected.append(Stranger(server, **headers))
        return connected[-1]

    yield connect
    for one in connected:
        one.close()
