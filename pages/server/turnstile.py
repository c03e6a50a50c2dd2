"""turnstile: only a few pages are built at a time; the others wait their turn.

Python runs one thread at a time. If thirty want to run, they interrupt each other, and the
thread that sends finished pages, every few milliseconds: everybody is served late. In turn,
nearly everybody is served sooner, and the last no later.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Two, because one of them may be waiting for the database.
AT_ONCE = 2
# After that long they go in anyway: one page on a slow disk must not keep all others out.
PATIENCE_SECONDS = 0.5

_turns = threading.BoundedSemaphore(AT_ONCE)
_inside = threading.local()


@contextmanager
def turn() -> Iterator[None]:
    """Run the block when it is this thread's turn, then let the next thread in.

    Nested, it does nothing: a fragment is built in its page's turn.
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
