"""gallery: many digits in a grid, each a button that tells Python which one was chosen.

html.digit_grid looks the same where nothing happens on a click. All pictures are sent as
one, a sprite, and cut out by the browser: quicker to make and to paint than one file each.
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
        captions: what is written under each, in one line or several.
        texts: the alternative text of each.
        label: what they are all together, for anyone who cannot see them.
        on_choose: called with a picture's number, from 0 on, before the page reruns.
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
