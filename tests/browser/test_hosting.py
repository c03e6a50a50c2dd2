"""What docs/hosting.md promises: the log, the secrets, and that no other host is needed."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_core.store.run import FINISHED, Run, owner_of
from tests.browser.server import Server
from tests.browser.test_pages import HEADINGS, assert_no_fault, open_page
from tests.container import build, instructions
from tests.extras import needs
from tests.helpers import Store, wait_until
from tests.test_logs import LINE

pytestmark = needs("browser")

TOKEN = "a-token-that-nobody-may-ever-read-in-a-log"
PASSWORD = "k0sh-er:pa55"
FORWARDED = "203.0.113.77"


@pytest.fixture
def offline(chromium):
    """A page whose browser reaches only this machine, and the requests it made to others."""
    context = chromium.new_context(viewport={"width": 1366, "height": 900})
    context.set_default_timeout(30_000)
    asked = []

    def refuse(route):
        asked.append(route.request.url)
        route.abort()

    context.route(re.compile(r"^(?!(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:)"), refuse)
    context.route_web_socket(
        re.compile(r"^wss?://(?!127\.0\.0\.1[:/])"), lambda socket: asked.append(socket.url)
    )
    yield context.new_page(), asked
    context.close()


def mapped(server) -> str:
    """The files that a server's process has loaded."""
    return Path(f"/proc/{server.process.pid}/maps").read_text()


def test_no_page_asks_another_host_for_anything_or_makes_the_server_load_tensorflow(
    new_server, offline
):
    """Pandas would take 60 MB. On Draw the canvas hands Streamlit a dictionary, which loads it."""
    server = new_server(MNIST_WORKERS="0", https_proxy="http://127.0.0.1:9")
    page, asked = offline
    for address, charts in (
        *((address, address in ("train", "evaluate")) for address in HEADINGS if address != "draw"),
        ("explore?show=A+map&split=Test", True),
        ("explore?image=train-7", False),
        ("evaluate?view=Confidence", True),
    ):
        open_page(page, server, address)
        if charts:
            page.locator(".js-plotly-plot").first.wait_for()
        assert_no_fault(page)
        assert page.get_by_role("link", name="Evaluate").first.is_visible()
    assert not re.search("pandas|pyarrow|scipy/stats|scipy/optimize", mapped(server))
    open_page(page, server, "draw")
    page.locator("canvas.upper-canvas").wait_for()
    assert_no_fault(page)
    assert "tensorflow" not in mapped(server)
    page.evaluate("document.fonts.ready.then(() => null)")
    assert asked == []
    # The watch itself works.
    page.evaluate("fetch('http://elsewhere.example/font').catch(() => null)")
    assert asked == ["http://elsewhere.example/font"]


def visit_and_train(chromium, server) -> None:
    """A visitor with a cookie, behind a proxy that tells their address, trains and leaves."""
    context = chromium.new_context(extra_http_headers={"X-Forwarded-For": FORWARDED})
    context.add_cookies([{"name": "mnist_visitor", "value": TOKEN, "url": server.url}])
    context.set_default_timeout(90_000)
    page = context.new_page()
    open_page(page, server, "train?preset=classic&epochs=1")
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("heading", name=re.compile("finished")).wait_for()
    context.close()


def is_healthy(server) -> bool:
    """Whether the container's health check passes."""
    (check,) = instructions("HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    assert command[:2] == ["python", "-c"]
    code = command[2].replace("8501", str(server.port))
    assert code != command[2]
    return subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def assert_log_tells(log: str, server: Server, run: Run) -> None:
    """It says once each what happened, and nothing of the visitor."""
    for event in (
        r"INFO server: entered for the first time: version \d\S*, digits of source sample, "
        r"database sqlite, at most 1 workers, teacher's password set",
        r"INFO worker: worker \w+ started, process \d+",
        r"INFO worker: worker \w+ ready after [\d.]+ s",
        r"INFO worker: download of MNIST started",
        r"WARNING worker: download of MNIST failed: ",
        rf"INFO runs: run {run.id} submitted, preset classic",
        rf"INFO runs: run {run.id} started by worker {run.worker} at step 0",
        rf"INFO runs: run {run.id} finished: [\d.]+ s of training, test accuracy [\d.]+%",
        r"INFO worker: worker \w+ ends because its server has ended",
    ):
        assert len(re.findall(event, log)) == 1, event
    # Streamlit says at the start where it listens.
    log = log.replace(f"127.0.0.1:{server.port}", "here")
    ours = [line for line in log.splitlines() if re.match(r"\S+Z [A-Z]", line)]
    assert all(map(LINE.fullmatch, ours))
    for secret in (TOKEN, owner_of(TOKEN), PASSWORD, FORWARDED, "Ada", "127.0.0.1"):
        assert secret not in log


def test_the_container_with_a_file_of_secrets_serves_trains_logs_and_ends(
    new_server, chromium, wide, tmp_path
):
    """What the container holds is enough for every page and a training."""
    secrets = tmp_path / "home" / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir(parents=True)
    secrets.write_text(
        f'MNIST_DATABASE_URL = "sqlite:///{tmp_path / "secret.db"}"\n'
        f'MNIST_TEACHER_PASSWORD = "{PASSWORD}"\n'
    )
    server = new_server(
        build(tmp_path / "app"),
        HOME=str(tmp_path / "home"),
        MNIST_WORKERS="1",
        https_proxy="http://127.0.0.1:9",
    )
    assert is_healthy(server)
    # The first visit is one to Train: the secrets must be in use from then on.
    visit_and_train(chromium, server)
    for address in HEADINGS:
        open_page(wide, server, address)
        assert_no_fault(wide)
    store = Store(f"sqlite:///{tmp_path / 'secret.db'}")
    # By the worker too, or it would not be finished there.
    (run,) = store.list_runs()
    assert run.state == FINISHED
    assert not (tmp_path / "0" / "runs.db").exists()
    store.rename(run.id, owner_of(TOKEN), "Ada Lovelace")
    # On SIGTERM it ends, although a page is open, and so does its idle worker.
    assert store.registered()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    wait_until(lambda: not store.registered(), timeout=30)
    assert not is_healthy(server)
    store.close()
    assert_log_tells(server.log(), server, run)
