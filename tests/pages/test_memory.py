import ctypes
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pages import memory
from tests.helpers import PROJECT

GLIBC = platform.libc_ver()[0] == "glibc"

# Thirty threads that hold something at once, and then how many pools there are.
CROWD = """
import sys, threading
from pages import memory
if sys.argv[1] == "share":
    assert memory.share()
all_there, held = threading.Barrier(30), []
def hold():
    held.append([bytes(1000 + place) for place in range(300)])
    all_there.wait(60)
threads = [threading.Thread(target=hold) for _ in range(30)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(open("/proc/self/maps").read())
"""


def pools(mode: str) -> int:
    """Pools beside the main one begin at a multiple of 64 MB and may be written to."""
    run = subprocess.run(
        [sys.executable, "-c", CROWD, mode], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    starts = re.findall(r"^([0-9a-f]+)-[0-9a-f]+ rw-p 00000000 00:00 0 *$", run.stdout, re.M)
    return sum(int(start, 16) % 2**26 == 0 for start in starts)


@pytest.mark.skipif(not GLIBC, reason="only the GNU C library has such pools")
def test_a_crowd_of_threads_shares_few_pools_of_memory():
    assert pools("share") <= memory.POOLS < pools("as usual")


def test_another_c_library_is_no_reason_to_fail(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Path("no mallopt here"))
    memory.share.cache_clear()
    assert memory.share() is False
    memory.share.cache_clear()
