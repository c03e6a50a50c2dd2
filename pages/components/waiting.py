"""waiting: what a run waits for, and for how long about."""

import streamlit as st

from mnist_core.store.run import Run
from pages.shared import cache


def show_waiting(run: Run) -> None:
    """Say what has to happen before this waiting run begins."""
    before = cache.store().before(run)
    icon = ":material/hourglass_top:"
    if before:
        turn = "1 run is" if len(before) == 1 else f"{len(before)} runs are"
        seconds = cache.seconds_until_turn(before)
        st.info(f"Waiting: {turn} before this one, about {duration(seconds)}.", icon=icon)
    elif cache.pool().problem:
        st.error(cache.pool().problem, icon=":material/error:")
    elif run.losses:
        st.info(
            "The training process was lost. Another one is starting, and goes on from the last "
            "finished epoch in about ten seconds.",
            icon=icon,
        )
    else:
        st.info(
            "The training process is starting; the first time takes about ten seconds.", icon=icon
        )


def duration(seconds: float) -> str:
    """Such as "40 s" or "3 min"."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
