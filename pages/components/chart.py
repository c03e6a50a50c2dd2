"""chart: a Plotly figure that is the same for all visitors of one size and colour."""

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from pages.shared import figures


def chart(
    key: str, depends_on: tuple[Any, ...], draw: Callable[[], go.Figure], alt: str, **more: Any
) -> None:
    """Show the figure, drawn only if nobody has seen it yet.

    Args:
        key: names the chart on its page, and the kind of figure for all visitors.
        depends_on: everything that ``draw`` uses, in plain values.
        alt: what the chart shows, for anyone who cannot see it.
        more: what else ``st.plotly_chart`` takes.
    """
    figure = figures.figure((key, *depends_on), draw)
    st.plotly_chart(figure, key=key, config={"displayModeBar": False}, alt=alt, **more)
