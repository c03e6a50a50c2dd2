"""turnstile: few pages are made at a time; the others wait for their turn.

Python runs one thread at a time. Where thirty want to run, they take it from each other
every few milliseconds, and from the one that sends what is ready: all are done late. One
after the other, nearly all are done sooner, and the last no later.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Two, for one of them may be waiting for the database.
AT_ONCE = 2
# Then they go in all the same: who waits inside for a slow disk must not keep all others out.
PATIENCE_SECONDS = 0.5

_turns = threading.BoundedSemaphore(AT_ONCE)
_inside = threading.local()


@contextmanager
def turn() -> Iterator[None]:
    """Do what follows when it is this thread's turn, and then let the next one in.

    Within itself it does nothing: a part of a page is made in the page's own turn.
    """
    if getattr(_inside, "now", False):
        yield
        return
    has_turn = _turns.acquire(timeout=PATIENCE_SECONDS)
    _inside.now = True
    try:
        yield
    finally:
        _inside.now = False
        if has_turn:
            _turns.release()
