"""live_chart: a Plotly figure that is redrawn in place while points arrive.

``st.plotly_chart`` rebuilds its chart whenever the figure changes: it blinks and loses zoom and
hidden lines. This component calls ``Plotly.react`` instead. Plotly's script comes from the
installed package, through Streamlit's static files.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly
import plotly.graph_objects as go
import streamlit as st

from pages.server import served
from pages.shared import figures, presenter

FOLDER = Path(__file__).parent
# Precedes the script of each component that draws with Plotly.
LOAD = (FOLDER / "load_plotly.js").read_text()
SCRIPT = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"

_chart = st.components.v2.component(
    "live_chart",
    html='<div class="chart" role="img"></div>',
    css=(FOLDER / "live_chart.css").read_text(),
    js=LOAD + (FOLDER / "live_chart.js").read_text(),
    isolate_styles=False,
)


def plotly_address() -> str | None:
    """Where a browser finds Plotly's script; None if the folder cannot be written."""
    return served.address(f"plotly-{plotly.__version__}.min.js", SCRIPT.read_bytes)


def cached_figure_json(key: tuple[Any, ...], draw: Callable[[], go.Figure]) -> str:
    """A figure for ``live_chart`` in this visitor's size, drawn once for all who see the same.

    Args:
        key: as for ``figures.cached_for_all``.
    """

    def make() -> str:
        plain = json.loads(presenter.sized(draw()).to_json())
        # The component sets its own.
        plain["layout"].pop("template", None)
        return json.dumps(plain)

    return figures.cached_for_all((*key, presenter.is_on()), make)


def live_chart(figure: str, alt: str, key: str, *, fitted: bool = False, reveal: str = "") -> None:
    """Show a figure of ``cached_figure_json``; a rerun with the same key only changes its data.

    Args:
        alt: what the chart shows, for anyone who cannot see it.
        fitted: as high as the screen has room for, instead of as high as the figure says.
        reveal: scroll the chart into view if it is not, once for each text that this is.
    """
    source = plotly_address()
    if source is None:
        # In a read-only installation the chart blinks.
        st.plotly_chart(json.loads(figure), key=key, config={"displayModeBar": False}, alt=alt)
        return
    data = {"figure": figure, "source": source, "alt": alt, "fitted": fitted, "reveal": reveal}
    _chart(data=data, key=key)
