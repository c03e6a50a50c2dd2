"""Presenter mode: the pages for a projector, larger and with less on them.

An address with ``presenter=on`` turns it on for the rest of the visit, on every page. What
a class need not see is hidden by presenter.css but stays on the page, so that a setting from a
link still counts; a switch brings it back.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mnist_core.plots import style

PARAMETER, ON = "presenter", "on"
STYLE = Path(__file__).parent / "presenter.css"
# Charts are in pixels and do not grow with the text around them. Their own text grows more than
# they do: it is what a class reads.
ENLARGED, TEXT_ENLARGED = 1.25, 1.5


def is_value(text: str) -> bool:
    return text == ON


def is_on() -> bool:
    return bool(st.session_state.get(PARAMETER, False))


def enter(share: Callable[[], object]) -> None:
    """Begin a page: follow its address, and keep the parameter in it.

    Args:
        share: shows what a class needs to open the same page.
    """
    if PARAMETER in st.query_params:
        st.session_state[PARAMETER] = True
    if not is_on():
        return
    st.query_params[PARAMETER] = ON
    st.html(STYLE)
    with st.container(key="presenter", horizontal=True, vertical_alignment="center", gap="small"):
        # presenter.css follows it at once, without the server.
        st.toggle("Show settings", key="show_settings", persist_state="session")
        shares = st.button("Share", icon=":material/qr_code_2:")
        st.button("Leave presenter mode", icon=":material/close_fullscreen:", on_click=leave)
    if shares:
        share()


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
    return style.enlarged(figure, ENLARGED, TEXT_ENLARGED) if is_on() else figure
