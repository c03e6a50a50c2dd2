"""The log of a server: one line an event, on standard error, without anything about visitors.

A line is a time (UTC), a level, an area and a sentence; an indented stack trace may follow.
Modules log as usual, with ``logging.getLogger(__name__)``, and never an owner, a run's name, an
address or a drawing. Passwords and owners in the messages of libraries are masked here.
"""

import logging
import re
import sys
import textwrap
from datetime import UTC, datetime

# These log every event; libraries only warnings and errors.
OURS = ("mnist_core", "pages")

_SECRETS = (
    # scheme://user:password@host; the password may hold any character but a space.
    (re.compile(r"(\w[\w+.-]*://)[^\s'\"]*@"), r"\1***@"),
    (re.compile(r"(password=)[^\s&'\"]+", re.IGNORECASE), r"\1***"),
    # As store.run.owner_of returns it.
    (re.compile(r"\b[0-9a-f]{64}\b"), "***"),
)


def masked(text: str) -> str:
    """The text without passwords and owners."""
    for secret, replacement in _SECRETS:
        text = secret.sub(replacement, text)
    return text


class Line(logging.Formatter):
    """Formats a record as ``2026-05-04T08:15:00Z INFO runs: run 3f2a91c07b started``."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        area = record.name.rpartition(".")[2]
        sentence = " ".join(record.getMessage().split())
        text = f"{time} {record.levelname} {area}: {sentence}"
        if record.exc_info:
            text += textwrap.indent("\n" + self.formatException(record.exc_info), "    ")
        return masked(text)


class StandardError(logging.Handler):
    """Writes to the current ``sys.stderr``, which tests replace."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except Exception:
            # Training goes on even if the log cannot be written.
            self.handleError(record)


def set_up() -> None:
    """Start writing log lines; further calls change nothing."""
    root = logging.getLogger()
    if any(isinstance(handler, StandardError) for handler in root.handlers):
        return
    handler = StandardError()
    handler.setFormatter(Line())
    root.addHandler(handler)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
