"""Presenter mode: a page as a class sees it on a projector, larger and with less on it.

An address with ``presenter=on`` turns it on for the rest of the visit, on every page. What
a class need not see stays on the page, hidden by presenter.css: so a setting that a link
brought counts all the same.
"""

from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mnist_core.plots import style

PARAMETER, ON = "presenter", "on"
STYLE = Path(__file__).parent / "presenter.css"
# Charts are in pixels and do not grow with the letters around them.
ENLARGED = 1.25


def is_value(text: str) -> bool:
    """Whether an address parameter can be followed."""
    return text == ON


def is_on() -> bool:
    return bool(st.session_state.get(PARAMETER, False))


def enter() -> None:
    """Begin a page: follow its address, and let the address say so on every further page."""
    if PARAMETER in st.query_params:
        st.session_state[PARAMETER] = True
    if not is_on():
        return
    st.query_params[PARAMETER] = ON
    st.html(STYLE)
    with st.container(key="leave_presenter"):
        st.button("Leave presenter mode", icon=":material/close_fullscreen:", on_click=leave)


def leave() -> None:
    st.session_state[PARAMETER] = False
    st.query_params.pop(PARAMETER, None)


def hidden_when_presenting(name: str, width: Any = "stretch") -> DeltaGenerator:
    """A place for what a class need not see.

    Args:
        name: another one for each such place of a page.
    """
    return st.container(key=f"aside_{name}", width=width)


def columns(shares: list[int]) -> list[DeltaGenerator]:
    """Columns, or, for a class, places below each other that have the whole width."""
    if is_on():
        return [st.container() for _ in shares]
    return list(st.columns(shares, gap="large"))


def sized(figure: go.Figure) -> go.Figure:
    """The figure, larger where it is for a class."""
    return style.enlarged(figure, ENLARGED) if is_on() else figure
