"""gallery: digits in a grid of buttons; html.digit_grid is the same without the buttons.

All pictures are sent as one sprite, which is faster to make and to paint than one file each.
"""

import base64
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from mnist_core.analysis import maps
from pages.shared import shell

FOLDER = Path(__file__).parent

_gallery = st.components.v2.component(
    "gallery",
    html='<div class="digits" role="group"></div>',
    css=(FOLDER / "gallery.css").read_text(),
    js=(FOLDER / "gallery.js").read_text(),
)


def gallery(
    images: np.ndarray,
    captions: Sequence[str],
    texts: Sequence[str],
    label: str,
    key: str,
    on_choose: Callable[[int], None],
) -> None:
    """Show the digits.

    Args:
        images: uint8 (n, 28, 28).
        captions: shown below each, in one line or several.
        texts: the alternative text of each.
        label: names the grid, for anyone who cannot see it.
        on_choose: called with the place of the clicked image before the page reruns.
    """

    def chosen() -> None:
        # It comes from a stranger's browser.
        number = st.session_state[key].get("chosen")
        if shell.is_place(number, len(images)):
            on_choose(number)

    columns = maps.sprite_columns(len(images))
    # Tuples: to tell whether a list is a data frame, Streamlit would load pandas.
    _gallery(
        data={
            "sprite": base64.b64encode(maps.sprite(images)).decode() if len(images) else "",
            "columns": columns,
            "rows": -(-len(images) // columns),
            "captions": tuple(captions),
            "texts": tuple(texts),
            "label": label,
        },
        key=key,
        on_chosen_change=chosen,
    )
