"""What a newcomer does, as README.md says it: ``python .ci/newcomer.py app`` or ``... tests``.

Run it in an environment that has nothing but Python. The README's first command must start an
app that answers on every page; its second must pass. Both install requirements.txt.
"""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

PROJECT = Path(__file__).parent.parent
START_SECONDS = 600  # pip downloads TensorFlow first
PAGES = ("", "explore", "train", "sweep", "compare", "evaluate", "draw", "classroom")


def commands(readme: str) -> tuple[str, str]:
    """The README's two commands: the one that starts the app and the one that tests it.

    Raises:
        ValueError: it has not exactly one of each in its blocks of ``sh``.
    """
    blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    installing = [
        line
        for line in "".join(blocks).splitlines()
        if line.startswith("pip install -r requirements.txt &&")
    ]
    app = [line for line in installing if "streamlit run" in line]
    tests = [line for line in installing if line.endswith("pytest")]
    if len(app) != 1 or len(tests) != 1:
        raise ValueError(f"README.md has other commands than the two: {installing}")
    return app[0], tests[0]


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


async def visit(url: str) -> None:
    """Open every page by its address, as a browser does. Raises AssertionError."""
    # Its imports exist only once the first command has installed them.
    sys.path.insert(0, str(PROJECT))
    from tests.visitor import Visitor

    for page in PAGES:
        with urllib.request.urlopen(f"{url}/{page}", timeout=30) as answer:
            assert answer.status == 200, page
        visitor = await Visitor.arrive(url)
        seconds = await visitor.go(page)
        kinds = {shown.element.WhichOneof("type") for shown in visitor.shown.values()}
        titles = [
            shown.content.body
            for shown in visitor.shown.values()
            if shown.element.WhichOneof("type") == "heading" and shown.content.tag == "h1"
        ]
        text = visitor.text()
        assert "exception" not in kinds, f"/{page}: {text}"
        assert "Something went wrong" not in text, f"/{page}: {text}"
        assert len(titles) == 1, f"/{page}: {text}"
        print(f"/{page} answers in {seconds:.1f} s: {titles[0]}", flush=True)
        await visitor.leave()


def try_app(command: str) -> None:
    """Start the app with the README's command, open every page, and end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    options = {"STREAMLIT_SERVER_PORT": str(port), "STREAMLIT_SERVER_HEADLESS": "true"}
    server = subprocess.Popen(
        ["bash", "-c", command], cwd=PROJECT, env=os.environ | options, start_new_session=True
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not healthy(url):
            assert server.poll() is None, f"{command!r} ended with status {server.returncode}"
            assert time.monotonic() < deadline, f"{command!r}: no answer in {START_SECONDS} s"
            time.sleep(0.1)
        # In a new process, which sees the packages that were just installed.
        subprocess.run([sys.executable, __file__, "visit", url], check=True)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def main(what: str, url: str = "") -> int:
    app, tests = commands((PROJECT / "README.md").read_text())
    if what == "visit":
        asyncio.run(visit(url))
    elif what == "app":
        print(f"$ {app}", flush=True)
        try_app(app)
    else:
        print(f"$ {tests}", flush=True)
        return subprocess.run(["bash", "-c", tests], cwd=PROJECT).returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
