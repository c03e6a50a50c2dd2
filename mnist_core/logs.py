"""Log lines for whoever hosts this: one line an event, and nothing in it of visitors.

A line is a time (UTC), a level, an area and a sentence, on standard error; a stack trace
follows it, indented. Modules log as usual, by ``logging.getLogger(__name__)``, and never an
owner, a run's name, an address or what somebody drew. What libraries put into their messages
is masked here: passwords in addresses of databases, and what is stored of a visitor.
"""

import logging
import re
import sys
from datetime import UTC, datetime

# Of these every event is told; of libraries only what goes wrong.
OURS = ("mnist_core", "pages")

_SECRETS = (
    # scheme://user:password@host; the password may hold any sign but a space.
    (re.compile(r"(\w[\w+.-]*://)[^\s'\"]*@"), r"\1***@"),
    (re.compile(r"(password=)[^\s&'\"]+", re.IGNORECASE), r"\1***"),
    # As store.run.owner_of writes it.
    (re.compile(r"\b[0-9a-f]{64}\b"), "***"),
)


def masked(text: str) -> str:
    """The text without passwords and owners."""
    for secret, instead in _SECRETS:
        text = secret.sub(instead, text)
    return text


class Line(logging.Formatter):
    """``2026-05-04T08:15:00Z INFO runs: run 3f2a91c07b started`` from a record."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        area = record.name.rpartition(".")[2]
        # In one line, whatever a message was made from.
        sentence = " ".join(record.getMessage().split())
        lines = [f"{time} {record.levelname} {area}: {sentence}"]
        if record.exc_info:
            trace = self.formatException(record.exc_info).splitlines()
            lines += [f"    {line}" for line in trace]
        return masked("\n".join(lines))


class StandardError(logging.Handler):
    """Writes to what standard error is at the moment; a test may put it elsewhere."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except Exception:
            # A log that cannot be written is no reason to end a training.
            self.handleError(record)


def set_up() -> None:
    """Write log lines from now on; once is enough for a process."""
    root = logging.getLogger()
    if any(isinstance(handler, StandardError) for handler in root.handlers):
        return
    handler = StandardError()
    handler.setFormatter(Line())
    root.addHandler(handler)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
