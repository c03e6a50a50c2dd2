"""The visitor: a secret in a cookie, of which only a hash is ever stored; and their time zone."""

import secrets
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
        keep(COOKIE, st.session_state["visitor"])
    return owner_of(st.session_state["visitor"])


def keep(cookie: str, text: str) -> None:
    """Store a cookie in the visitor's browser.

    Args:
        text: of characters that a cookie may have.
    """
    _keep(data={"name": cookie, "text": text}, key=f"keep-{cookie}")


def time_zone() -> tzinfo | None:
    """The visitor's time zone; None if their browser does not say one that the server knows."""
    try:
        return ZoneInfo(st.context.timezone) if st.context.timezone else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


_keep = st.components.v2.component(
    "keep_cookie",
    js=(Path(__file__).parent / "visitor.js").read_text(),
)
