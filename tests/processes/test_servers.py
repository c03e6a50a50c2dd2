"""Two servers on one Postgres: it does not matter at which of them a visitor lands."""

import asyncio
import re
import uuid
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from mnist_core.store.names import title
from mnist_core.store.run import FINISHED, RUNNING, STOPPED
from tests.browser.server import Server
from tests.extras import needs
from tests.helpers import Store, wait_for_end, wait_until
from tests.visitor import Visitor

pytestmark = needs("processes", "postgres")

# Long enough to be watched and stopped.
LONG = "preset=classic&dense=512,512&epochs=60&batch_size=16"
T = TypeVar("T")
EPOCH = re.compile(r"Epoch ([0-9.]+) of")


@pytest.fixture(scope="module")
def servers(tmp_path_factory, postgres, psutil):
    """Only the first has a worker. And the database of both."""
    url = postgres.database()
    running = [
        Server(tmp_path_factory.mktemp("server"), MNIST_DATABASE_URL=url, MNIST_WORKERS=workers)
        for workers in ("1", "0")
    ]
    store = Store(url)
    yield *running, store
    store.close()
    for server in running:
        for child in psutil.Process(server.process.pid).children():
            child.kill()
        server.stop()


def played(visit: Coroutine[Any, Any, T]) -> T:
    """Run a visit in a thread of its own, because Playwright may have left an event loop in
    this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, visit).result()


def person() -> str:
    """The cookie of a new visitor."""
    return f"mnist_visitor={uuid.uuid4().hex}"


async def started(server: Server, store: Store, cookie: str, settings: str) -> str:
    """The visitor opens Train and presses the button; the id of their run."""
    known = {run.id for run in store.list_runs()}
    visitor = await Visitor.arrive(server.url, cookie)
    await visitor.go("train", settings)
    await visitor.press("Start training")
    await visitor.leave()
    new = [run.id for run in store.list_runs() if run.id not in known]
    assert len(new) == 1, visitor.text()
    return new[0]


def epoch_seen(visitor: Visitor) -> float:
    """The epoch that a page shows for a run."""
    found = EPOCH.search(visitor.find("progress").content.text)
    assert found
    return float(found[1])


def test_a_run_started_at_one_server_is_watched_live_and_stopped_at_the_other(servers):
    here, there, store = servers
    cookie = person()

    async def visit() -> str:
        run_id = await started(here, store, cookie, LONG)
        wait_until(lambda: store.get(run_id).state == RUNNING and store.metrics(run_id))
        other = await Visitor.arrive(there.url, cookie)
        # One run each holds at all servers together.
        await other.go("train", "preset=quick")
        with pytest.raises(LookupError):
            other.find("button", lambda content: content.label == "Start training")
        await other.go("train", f"run={run_id}")
        first = epoch_seen(other)
        # The run has a while to go.
        while epoch_seen(other) < first + 1:
            assert store.get(run_id).state == RUNNING
            assert other.polls
            await asyncio.sleep(other.polls[1])
            await other.poll()
        await other.press("Stop")
        await other.leave()
        return run_id

    run = wait_for_end(store, played(visit()))
    assert run.state == STOPPED


def test_a_stranger_at_the_other_server_sees_a_run_cannot_stop_it_and_uses_its_network(servers):
    here, there, store = servers

    async def visit() -> None:
        run_id = await started(here, store, person(), "preset=classic&epochs=2")
        stranger = await Visitor.arrive(there.url, person())
        await stranger.go("train", f"run={run_id}")
        with pytest.raises(LookupError):
            stranger.find("button", lambda content: content.label == "Stop")
        run = wait_for_end(store, run_id)
        assert run.state == FINISHED
        await stranger.go("evaluate", f"run={run_id}")
        assert f"{run.test_accuracy:.2%}" in stranger.text()
        await stranger.go("draw", f"run={run_id}")
        options = stranger.find("selectbox").content.options
        assert any(option.startswith(title(run)) for option in options)
        await stranger.leave()

    played(visit())
