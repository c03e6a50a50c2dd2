"""choices: one of several options, as buttons in a row."""

from collections.abc import Sequence
from typing import Any, TypeVar

import streamlit as st

T = TypeVar("T")


def choose(
    label: str, options: Sequence[T], key: str, *, default: T | None = None, **more: Any
) -> T:
    """Let the visitor choose one option.

    Args:
        label: its name for screen readers; it is seen only with ``label_visibility="visible"``.
        key: another one on each page where the address holds it: Streamlit may carry what one
            page's widget held over to another page's of the same name.
        default: the option chosen at first; the first one if None.
        more: what else ``st.segmented_control`` takes, such as ``bind="query-params"``.
    """
    start = options[0] if default is None else default
    settings: dict[str, Any] = {"required": True, "label_visibility": "collapsed"} | more
    chosen: T | None = st.segmented_control(label, options, default=start, key=key, **settings)
    # An address may name an empty choice.
    return start if chosen is None else chosen
