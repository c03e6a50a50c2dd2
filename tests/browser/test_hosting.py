"""What docs/hosting.md promises: the log, the secrets, and that no other host is needed."""

import json
import re
import signal
import subprocess
import sys

import pytest

from mnist_core.store.run import FINISHED, owner_of
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


@pytest.mark.parametrize("address", [*HEADINGS, "explore?show=A+map&split=Test"])
def test_every_page_asks_no_other_host_for_anything(server, offline, address):
    page, asked = offline
    open_page(page, server, address)
    if address.split("?")[0] in ("train", "evaluate") or "map" in address:
        page.locator(".js-plotly-plot").first.wait_for()
    if address == "draw":
        page.locator("canvas.upper-canvas").wait_for()
    page.evaluate("document.fonts.ready.then(() => null)")
    assert_no_fault(page)
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


def test_the_log_tells_what_happened_and_nothing_of_the_visitor(new_server, chromium, tmp_path):
    server = new_server(
        MNIST_WORKERS="1", MNIST_TEACHER_PASSWORD=PASSWORD, https_proxy="http://127.0.0.1:9"
    )
    visit_and_train(chromium, server)
    store = Store(f"sqlite:///{tmp_path / '0' / 'runs.db'}")
    (run,) = store.list_runs()
    store.rename(run.id, owner_of(TOKEN), "Ada Lovelace")
    server.stop()
    wait_until(lambda: not store.registered())
    store.close()
    log = (tmp_path / "0" / "server.log").read_text()
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


def test_a_database_in_the_secrets_is_used_from_the_first_visit_on(new_server, chromium, tmp_path):
    secrets = tmp_path / "home" / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir(parents=True)
    secrets.write_text(
        f'MNIST_DATABASE_URL = "sqlite:///{tmp_path / "secret.db"}"\n'
        f'MNIST_TEACHER_PASSWORD = "{PASSWORD}"\n'
    )
    server = new_server(HOME=str(tmp_path / "home"), MNIST_WORKERS="1")
    visit_and_train(chromium, server)
    store = Store(f"sqlite:///{tmp_path / 'secret.db'}")
    # By the worker too, or it would not be finished there.
    assert [run.state for run in store.list_runs()] == [FINISHED]
    store.close()
    assert not (tmp_path / "0" / "runs.db").exists()
    log = (tmp_path / "0" / "server.log").read_text()
    assert "teacher's password set" in log
    assert PASSWORD not in log


def is_healthy(server) -> bool:
    """Whether the container's health check passes."""
    (check,) = instructions("HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    assert command[:2] == ["python", "-c"]
    code = command[2].replace("8501", str(server.port))
    assert code != command[2]
    return subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_what_the_container_holds_is_enough_for_every_page_and_a_training(
    new_server, chromium, wide, tmp_path
):
    server = new_server(build(tmp_path / "app"), MNIST_WORKERS="1")
    assert is_healthy(server)
    for address in HEADINGS:
        open_page(wide, server, address)
        assert_no_fault(wide)
    visit_and_train(chromium, server)
    store = Store(f"sqlite:///{tmp_path / '0' / 'runs.db'}")
    assert [run.state for run in store.list_runs()] == [FINISHED]
    # On SIGTERM it ends, although a page is open, and so does its idle worker.
    assert store.registered()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    wait_until(lambda: not store.registered(), timeout=30)
    assert not is_healthy(server)
    store.close()
