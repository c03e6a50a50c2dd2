"""digit_map: a scatter plot of digits that shows their pictures, with clicks and a lasso.

Plotly draws it; the pictures come from one sprite that the browser fetches once.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st

from mnist_core.analysis import maps
from mnist_core.plots import style
from pages.components.live_chart import LOAD, plotly_address
from pages.shared import shell

MOST_LASSOED = 2000
HEIGHT = 520
FOLDER = Path(__file__).parent

_map = st.components.v2.component(
    "digit_map",
    html="""<div class="map"><div class="plot" role="group"></div>
<div class="tip" aria-hidden="true" hidden>
<canvas width="28" height="28"></canvas><span></span></div></div>""",
    css=(FOLDER / "digit_map.css").read_text(),
    js=LOAD + (FOLDER / "digit_map.js").read_text(),
    isolate_styles=False,
)


def digit_map(
    points: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    sprite: str,
    alt: str,
    key: str,
    *,
    lassoed: list[int] | None,
    on_choose: Callable[[int], None],
    on_lasso: Callable[[list[int]], None],
) -> None:
    """Show the map.

    Args:
        points: float (n, 2).
        labels: the digit of each, 0 to 9.
        names: shown for the point under the pointer.
        sprite: the address of a picture as ``maps.sprite`` makes it.
        alt: what the map shows, for anyone who cannot see it.
        lassoed: numbers of the points to highlight; None for no selection.
        on_choose: called with the number of the clicked point.
        on_lasso: called with the numbers of the lassoed points.
    """
    source = plotly_address()
    if source is None:
        st.info("The map needs the folder static/, which this server cannot write to.")
        return

    # What arrives comes from a stranger's browser.
    def chosen() -> None:
        if shell.is_place(number := st.session_state[key].get("chosen"), len(points)):
            on_choose(number)

    def caught() -> None:
        numbers = st.session_state[key].get("lassoed")
        if isinstance(numbers, list) and len(numbers) <= MOST_LASSOED:
            on_lasso(sorted({number for number in numbers if shell.is_place(number, len(points))}))

    # Tuples: to tell whether a list is a data frame, Streamlit would load pandas.
    _map(
        data={
            **{axis: tuple(steps) for axis, steps in maps.compact(points).items()},
            "labels": tuple(labels.tolist()),
            "names": tuple(names),
            "colours": tuple(style.DIGIT_COLOURS),
            "sprite": sprite,
            "columns": maps.sprite_columns(len(points)),
            "source": source,
            "alt": alt,
            "height": HEIGHT,
            "lassoed": None if lassoed is None else tuple(lassoed),
            "most": MOST_LASSOED,
            # The same points keep their zoom.
            "revision": json.dumps([alt, len(labels)]),
        },
        key=key,
        on_chosen_change=chosen,
        on_lassoed_change=caught,
    )
