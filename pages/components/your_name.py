"""your_name: what a visitor wants their runs to be called, remembered in their browser."""

from urllib.parse import quote, unquote

import streamlit as st

from mnist_core.errors import NotAllowed
from mnist_core.store.names import NAME_LENGTH, clean_name
from pages.shared import visitor

COOKIE = "mnist_name"
NAME, BOX = "name", "your_name"


def ask_name() -> None:
    """The box for the name, at most once on a page.

    The store says what is wrong with a name once a run is to have it.
    """
    # Streamlit forgets what is in a box when its page is left.
    st.session_state.setdefault(BOX, chosen_name())
    st.text_input(
        "Your name?",
        max_chars=NAME_LENGTH,
        key=BOX,
        placeholder="Optional; everyone can see it",
        autocomplete="nickname",
    )


def chosen_name() -> str:
    """What is in the box, or was when it was last on a page; empty for no name."""
    name: str = st.session_state.get(BOX, st.session_state.get(NAME, _remembered()))
    return name


def keep_name() -> None:
    """Remember the name; last on a page, because it takes a place there."""
    name = st.session_state[NAME] = chosen_name()
    if name != _remembered():
        visitor.keep(COOKIE, quote(name))


def _remembered() -> str:
    """The name in the cookie that the browser sent when it connected; anybody may write one."""
    try:
        return clean_name(unquote(st.context.cookies.get(COOKIE, "")[: 12 * NAME_LENGTH]))
    except NotAllowed:
        return ""
