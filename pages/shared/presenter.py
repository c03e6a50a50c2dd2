"""Presenter mode: the pages for a projector, larger and with less on them.

An address with ``presenter=on`` turns it on for the rest of the visit, on every page. What
a class need not see is hidden by presenter.css but stays on the page, so that a setting from a
link still counts.
"""

from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mnist_core.plots import style

PARAMETER, ON = "presenter", "on"
STYLE = Path(__file__).parent / "presenter.css"
# Charts are in pixels and do not grow with the text around them.
ENLARGED = 1.25


def is_value(text: str) -> bool:
    return text == ON


def is_on() -> bool:
    return bool(st.session_state.get(PARAMETER, False))


def enter() -> None:
    """Begin a page: follow its address, and keep the parameter in it."""
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


def hidden_when_presenting(name: str, **layout: Any) -> DeltaGenerator:
    """A container for what a class need not see.

    Args:
        name: a different one for each on a page.
        layout: what else ``st.container`` takes.
    """
    return st.container(key=f"aside_{name}", **layout)


def columns(shares: list[int]) -> list[DeltaGenerator]:
    """Columns, or in presenter mode containers below each other, as wide as the page."""
    if is_on():
        return [st.container() for _ in shares]
    return list(st.columns(shares, gap="large"))


def sized(figure: go.Figure) -> go.Figure:
    return style.enlarged(figure, ENLARGED) if is_on() else figure
