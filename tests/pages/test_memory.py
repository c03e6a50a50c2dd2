"""Memory that is no longer used goes back to the machine."""

import ctypes
import sys
from pathlib import Path

import pytest

from pages import memory

PIECES, PIECE_BYTES = 4000, 20_000


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"),
    reason="only glibc keeps freed memory in a way that can be undone",
)
def test_memory_between_what_is_still_used_is_given_back():
    pieces = [bytearray(PIECE_BYTES) for _ in range(PIECES)]
    # Every tenth stays, so that no long stretch is free.
    kept = pieces[::10]
    del pieces
    before = resident()
    memory.give_back()
    assert before - resident() > PIECES * PIECE_BYTES / 2
    assert all(len(piece) == PIECE_BYTES for piece in kept)


def test_nothing_happens_where_there_is_no_such_function(monkeypatch):
    monkeypatch.setattr(sys, "platform", "plan9")
    memory.give_back()
