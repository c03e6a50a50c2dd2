"""host: what is done once for whoever hosts this, when the server is first entered."""

import logging
import os
import re
import threading
from pathlib import Path

from mnist_core import data, logs
from mnist_core.jobs.opening import workers_in_words
from mnist_core.store import engine
from pages.server import memory

log = logging.getLogger("pages.server")

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
_entered = threading.Event()


def greet() -> None:
    """Set up the log and say what this server is, at its first visitor; keep its memory small."""
    if _entered.is_set():
        return
    _entered.set()
    memory.keep_giving_back()
    logs.set_up()
    password = "set" if os.environ.get("MNIST_TEACHER_PASSWORD") else "not set"
    log.info(
        "entered for the first time: version %s, digits of source %s, database %s, "
        "%s, teacher's password %s",
        version(),
        data.locate()[1],
        engine.kind(engine.database_url()),
        workers_in_words(),
        password,
    )


def version() -> str:
    """The newest one that the list of changes names."""
    try:
        newest = re.search(r"^## (\S+)", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        newest = None
    return newest[1] if newest else "unknown"
