"""memory: what visitors leave behind when they go is given back to the machine.

Each visit takes memory in many small pieces, and frees them when it ends. C's own library
keeps what is free for later, in holes that the next visit fits into only in part: in half an
hour of coming and going the holes of a server grew to 70 MB, what was in use did not grow.
"""

import ctypes
import sys
import threading

PAUSE_SECONDS = 30.0
# What is as large as this lies by itself and not among the small, and goes back at once. Without
# being told so, C's library takes 128 KB at first, and more with each large piece that it sees
# freed: once the test images were read anew, everything up to 8 MB.
ALONE_BYTES = 512 * 1024
# The number under which mallopt knows it.
M_MMAP_THRESHOLD = -3


def library() -> ctypes.CDLL | None:
    """C's library where it is glibc; other systems have other ways of their own."""
    if sys.platform == "linux" and hasattr(found := ctypes.CDLL(None), "malloc_trim"):
        return found
    return None


def give_back() -> None:
    """Let the machine have what this process keeps and does not use."""
    if glibc := library():
        glibc.malloc_trim(0)


def keep_giving_back() -> threading.Thread:
    """Do so twice a minute, from now on; and the large at once."""
    if glibc := library():
        glibc.mallopt(M_MMAP_THRESHOLD, ALONE_BYTES)

    def on_and_on() -> None:
        pause = threading.Event()
        while not pause.wait(PAUSE_SECONDS):
            give_back()

    thread = threading.Thread(target=on_and_on, daemon=True, name="memory")
    thread.start()
    return thread
