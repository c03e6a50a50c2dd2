"""host: what the server tells its host when the first visitor arrives."""

import functools
import logging
import os
import re
from pathlib import Path

from mnist_core import data, logs
from mnist_core.jobs.opening import workers_in_words
from mnist_core.store import engine

log = logging.getLogger("pages.server")

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


@functools.cache
def greet() -> None:
    """Set up the log and describe this server in one line, once."""
    logs.set_up()
    log.info(
        "entered for the first time: version %s, digits of source %s, database %s, "
        "%s, teacher's password %s",
        version(),
        data.locate()[1],
        engine.kind(engine.database_url()),
        workers_in_words(),
        "set" if os.environ.get("MNIST_TEACHER_PASSWORD") else "not set",
    )


def version() -> str:
    """The newest version in the changelog; "unknown" without one."""
    text = CHANGELOG.read_text(encoding="utf-8") if CHANGELOG.exists() else ""
    newest = re.search(r"^## (\S+)", text, re.MULTILINE)
    return newest[1] if newest else "unknown"
