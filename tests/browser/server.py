"""Server: the app as a person starts it, with data of its own; and how to start Chromium."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.helpers import PROJECT, free_port, wait_until

# Adds up the layout shifts in window.shift; must be there before anything of the page is.
COUNT_SHIFTS = """
window.shift = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: 'layout-shift', buffered: true });
"""
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def settled(page: Any) -> None:
    """Wait until the page's script has finished."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def upload(page: Any, name: str, content: bytes) -> None:
    """Give the page's uploader a file of this name."""
    # Each file gets a new uploader: until the script has finished, the last one is there too.
    settled(page)
    wait_until(lambda: page.locator("input[type=file]").count() == 1)
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "", "buffer": content}
    )


class Server:
    """``streamlit run dashboard.py`` on a free port of this machine."""

    def __init__(self, folder: Path, project: Path = PROJECT, **environ: str) -> None:
        """Start it and wait until it answers.

        Args:
            folder: where its database, Keras's cache and its log go.
            project: where the app is.
            environ: settings on top of this process's environment, of which MNIST_* is
                left out.
        """
        self.database_url = environ.get("MNIST_DATABASE_URL", f"sqlite:///{folder / 'runs.db'}")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "server.log"
        self.process = subprocess.Popen(
            f"{sys.executable} -m streamlit run dashboard.py --server.headless=true "
            f"--server.address=127.0.0.1 --server.port={self.port}".split(),
            cwd=project,
            env={
                **{name: text for name, text in os.environ.items() if name[:6] != "MNIST_"},
                "MNIST_DATABASE_URL": self.database_url,
                "KERAS_HOME": str(folder / "keras"),
                **environ,
            },
            stdout=self._log.open("wb"),
            stderr=subprocess.STDOUT,
        )
        wait_until(self.healthy)

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
