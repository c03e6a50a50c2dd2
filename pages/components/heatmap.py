"""heatmap: ten by ten cells that are chosen by mouse, finger or keyboard.

Plotly reports no clicks on a heatmap's cells, and a finger does not hover. So a real button lies
over each cell. The buttons determine the size, and Plotly's axes follow them; until Plotly's
script has arrived, which takes seconds on a slow network, the buttons show the cells themselves.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from mnist_core.data import CLASSES
from pages.components.live_chart import LOAD, plotly_address
from pages.shared import figures, shell

FOLDER = Path(__file__).parent

_heatmap = st.components.v2.component(
    "heatmap",
    html='<div class="heatmap"><div class="plot" aria-hidden="true"></div>'
    '<div class="cells" role="group"></div><p class="note" hidden></p></div>',
    css=(FOLDER / "heatmap.css").read_text(),
    js=LOAD + (FOLDER / "heatmap.js").read_text(),
    isolate_styles=False,
)


def heatmap(
    key: str,
    depends_on: tuple[Any, ...],
    draw: Callable[[], go.Figure],
    label: str,
    chosen: tuple[int, int],
    on_choose: Callable[[int, int], None],
) -> None:
    """Show a figure of ``heatmaps``, drawn only if nobody has seen it yet.

    Args:
        key: names the heatmap on its page, and the kind of figure for all visitors.
        depends_on: everything that ``draw`` uses, in plain values.
        label: what the heatmap shows, for anyone who cannot see it.
        chosen: true and predicted digit of the selected cell.
        on_choose: called with the true and the predicted digit of the cell that is chosen,
            before the page reruns.
    """

    def choose() -> None:
        # It comes from a stranger's browser.
        number = st.session_state[key].get("chosen")
        if shell.is_place(number, CLASSES**2):
            on_choose(*divmod(number, CLASSES))

    _heatmap(
        data={
            "figure": figures.cached_for_all(
                (key, *depends_on, figures.dark()), lambda: str(draw().to_json())
            ),
            "source": plotly_address(),
            "label": label,
            "chosen": CLASSES * chosen[0] + chosen[1],
        },
        key=key,
        on_chosen_change=choose,
    )
