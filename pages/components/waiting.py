"""waiting: what a run waits for, and for how long about."""

import streamlit as st

from mnist_core.plots import style
from mnist_core.store.run import Run
from pages.shared import cache


def show_waiting(run: Run) -> None:
    """Say what has to happen before this waiting run begins."""
    before = cache.runs_ahead_of(run)
    icon = ":material/hourglass_top:"
    if before:
        ahead, seconds = style.counted(len(before), "run"), cache.seconds_until_turn(before)
        st.info(f"{ahead} ahead of yours; starts in about {duration(seconds)}.", icon=icon)
    elif cache.pool().problem:
        st.error(cache.pool().problem, icon=":material/error:")
    elif run.losses:
        st.info(
            "The training process stopped unexpectedly. Another one is starting, and continues "
            "from the last finished epoch in about ten seconds.",
            icon=icon,
        )
    else:
        st.info(
            "The training process is starting; the first time takes about ten seconds.", icon=icon
        )


def duration(seconds: float) -> str:
    """Such as "40 s" or "3 min"."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
