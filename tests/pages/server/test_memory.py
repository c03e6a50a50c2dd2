"""Memory that is no longer used goes back to the machine."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from pages.server import memory

PIECES, PIECE_BYTES = 4000, 20_000


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


of_glibc = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"),
    reason="only glibc keeps freed memory in a way that can be undone",
)


@of_glibc
def test_memory_between_what_is_still_used_is_given_back():
    pieces = [bytearray(PIECE_BYTES) for _ in range(PIECES)]
    # Every tenth stays, so that no long stretch is free.
    kept = pieces[::10]
    del pieces
    before = resident()
    memory.give_back()
    assert before - resident() > PIECES * PIECE_BYTES / 2
    assert all(len(piece) == PIECE_BYTES for piece in kept)


@of_glibc
def test_a_large_piece_goes_back_at_once_also_after_a_larger_one_was_freed():
    # In a process of its own, for what is set holds to its end.
    script = """
from pages.server import memory
from tests.pages.server.test_memory import resident
memory.keep_giving_back()
test_images = bytearray(8_000_000)
del test_images
# Pieces that stay lie in between, so that freed ones could not go back in one.
pieces = [bytearray(1_000_000) for _ in range(40)]
kept = pieces[::4]
before = resident()
del pieces
print(before - resident())
"""
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert int(answer.stdout) > 25_000_000


def test_nothing_happens_where_there_is_no_such_function(monkeypatch):
    monkeypatch.setattr(sys, "platform", "plan9")
    memory.give_back()
