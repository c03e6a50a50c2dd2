"""waiting: the button that starts a training, and what a waiting run waits for."""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mnist_core.plots import style
from mnist_core.store.run import Run
from pages.components.words import duration
from pages.shared import cache

PRESSED = "start_pressed"


def was_pressed() -> bool:
    """Whether the start button brought this rerun. To be acted on once the settings are read: a
    callback would get those before the last change, which the press may bring along."""
    return bool(st.session_state.pop(PRESSED, False))


def start_button(
    place: DeltaGenerator, label: str, *, ready: bool, busy: str, width: Any = "stretch"
) -> None:
    """The button, disabled unless it is ``ready``, or while something is ``busy``: a sentence."""
    place.button(
        label,
        type="primary",
        icon=":material/play_arrow:",
        width=width,
        on_click=lambda: st.session_state.update({PRESSED: True}),
        disabled=bool(busy) or not ready,
        help=busy or None,
    )


def show_waiting(run: Run) -> None:
    """Say what has to happen before this waiting run starts."""
    ahead = cache.runs_ahead_of(run)
    if ahead:
        runs, seconds = style.counted(len(ahead), "run"), cache.seconds_until_turn(ahead)
        text = f"{runs} ahead of yours; starts in about {duration(seconds)}."
    elif problem := cache.pool().problem:
        st.error(problem, icon=":material/error:")
        return
    elif run.losses:
        text = (
            "The training process stopped unexpectedly. Another one is starting and continues "
            "from the last finished epoch in about ten seconds."
        )
    else:
        text = "The training process is starting; the first time takes about ten seconds."
    st.info(text, icon=":material/hourglass_top:")
