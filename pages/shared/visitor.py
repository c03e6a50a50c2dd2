"""The visitor: a secret in a cookie, of which only a hash is ever stored."""

import secrets
from pathlib import Path

import streamlit as st

from mnist_core.store.run import owner_of

COOKIE = "mnist_visitor"


def this_visitor(*, remember: bool = True) -> str:
    """What is stored as the owner of this visitor's runs.

    The secret behind it is in a cookie, so that it survives a reload; it is never shown.

    Args:
        remember: store the cookie if the browser has none yet; at most once on a page.
    """
    if "visitor" not in st.session_state:
        token = st.context.cookies.get(COOKIE, "")
        known = len(token) >= 32
        st.session_state["visitor"] = token if known else secrets.token_urlsafe(32)
        st.session_state["visitor_known"] = known
    if remember and not st.session_state["visitor_known"]:
        _remember(data={"name": COOKIE, "token": st.session_state["visitor"]}, key="remember")
    return owner_of(st.session_state["visitor"])


_remember = st.components.v2.component(
    "remember_visitor",
    js=(Path(__file__).parent / "visitor.js").read_text(),
)
