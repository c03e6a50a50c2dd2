"""memory: what threads let go of is used again by others.

Every answer is made in a thread of its own. The C library deals threads out to as many as eight
pools of memory for each core, and what is free in one is of no use to another: so a server that
has been busy for long holds more and more that nobody needs. Two pools are enough where Python
lets one thread run at a time.
"""

import ctypes
import functools
import logging
import sys

import streamlit as st

log = logging.getLogger("pages.memory")

# From malloc.h of the GNU C library.
M_ARENA_MAX = -8
POOLS = 2


@functools.cache
def share() -> bool:
    """From now on no more pools than that. False where the C library has no such setting."""
    if sys.platform != "linux":
        return False
    try:
        return bool(ctypes.CDLL(None).mallopt(M_ARENA_MAX, POOLS))
    except AttributeError:
        log.info("this C library deals out memory in its own way; it may grow more")
        return False


if __name__ == "__main__":
    # Somebody opened /memory, which Streamlit takes for a page.
    st.switch_page("dashboard.py")
