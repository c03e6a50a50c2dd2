"""figures: charts drawn once for all visitors who see the same."""

from collections.abc import Callable
from typing import Any, TypeVar

import plotly.graph_objects as go
import streamlit as st

from pages.shared import presenter
from pages.shared.bounded import BoundedCache
from pages.shared.cache import cached

T = TypeVar("T")

# What is kept of one kind of figure: hundreds of curves, or all heatmaps anybody looks at.
MOST_BYTES_OF_A_KIND = 6_000_000


def dark() -> bool:
    """Whether the page has a dark background, which Plotly does not know."""
    return st.context.theme.type == "dark"


def cached_for_all(key: tuple[Any, ...], make: Callable[[], T]) -> T:
    """A figure or text that looks the same to all visitors, made for the first of them.

    Args:
        key: its kind, such as "confusion", and everything else it depends on, in plain values.
            Each kind has memory of its own, so that curves which change five times a second
            push nobody's heatmap out.
        make: makes it. Callers must not change the result.
    """
    value: T = _cache_of(key[0]).get(key, make)
    return value


@cached(50)
def _cache_of(kind: str) -> BoundedCache:
    return BoundedCache(MOST_BYTES_OF_A_KIND, _bytes_of)


def _bytes_of(value: go.Figure | str) -> int:
    return len(value if isinstance(value, str) else value.to_json())


def figure(key: tuple[Any, ...], draw: Callable[[], go.Figure]) -> go.Figure:
    """A figure in this visitor's size and colours, drawn once for all who see the same: it takes
    Plotly up to 40 ms, during which all others wait.

    Args:
        key: as for ``cached_for_all``.
    """
    return cached_for_all((*key, dark(), presenter.is_on()), lambda: presenter.sized(draw()))
