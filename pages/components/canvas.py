"""The sheet to draw on: strokes, undo, clear; and the pictures that it leaves behind.

What is drawn is kept in the visitor's session, so that it outlives a visit to another page.
Whoever shows the sheet reads ``subject()``: what there is to be read now.
"""

import dataclasses
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image, UnidentifiedImageError
from streamlit_drawable_canvas import st_canvas

from mnist_core import drawing
from mnist_core.drawing import photo
from mnist_core.errors import EmptyDrawing
from mnist_core.plots import html

log = logging.getLogger("pages")

SIDE = 320
# A fine liner, about a fifteenth of a digit that fills the sheet as MNIST's pens were, and
# a marker.
PENS = {"Fine": 8, "Medium": 18, "Broad": 30}
INK, PAPER = "#101820", "#FFFFFF"
# Strokes that can be taken back, each with its picture of the sheet, about 3 KB.
MOST_UNDO = 100
# And how many bytes they may take: every session has a sheet, and a stranger may send any.
MOST_BYTES_OF_UNDO = 2_000_000
# A browser sends four pixels for one where its screen is that fine; more is no browser's.
MOST_SIDE = 4 * SIDE
# A drawing of several digits, or a photograph, is shown with at most this many pixels a side.
SHEET_SIDE = 400
DRAWING, PICTURE = "Your drawing", "Your picture"


@dataclass(frozen=True)
class Subject:
    """What there is to read.

    Attributes:
        number: another one for each subject of this visitor.
        source: where it is from, for a person.
        pictures: one for each digit: as ``drawing.to_mnist`` takes them, or uint8
            (28, 28) if they are ``prepared``. None if there is no digit.
        prepared: they are MNIST's own, and need no preparation.
        sheet: HTML of the picture that they were found in, or empty.
        note: what should be known of them, one sentence or empty.
        problem: why there is no digit, or why the file sent last could not be read, one
            sentence or empty. It is said of this subject alone, and goes with it.
        file: the picture that was sent last, as a PNG, to turn it; empty if it was no picture.
    """

    number: int
    source: str
    pictures: list[np.ndarray]
    prepared: bool = False
    sheet: str = ""
    note: str = ""
    problem: str = ""
    file: bytes = b""


def subject() -> Subject | None:
    """What this visitor drew or chose last; None if there is nothing."""
    found: Subject | None = st.session_state.get("subject")
    return found


def take(source: str, pictures: list[np.ndarray], **more: Any) -> None:
    """Something else than a drawing is to be read: the sheet is emptied for it.

    Args:
        more: what else ``Subject`` has.
    """
    clear()
    _read(source, pictures, **more)


def refuse(problem: str, file: bytes = b"") -> None:
    """What was to be read cannot be: no earlier answer stays as if it were the new one.

    A drawing stays, for it is still to be seen on the sheet.
    """
    found = subject()
    if found and found.source == DRAWING and found.pictures:
        st.session_state["subject"] = dataclasses.replace(found, problem=problem, file=file)
    else:
        take(PICTURE, [], problem=problem, file=file)


def clear() -> None:
    """A canvas with another key is a new, empty one."""
    _renew(None)
    _forget()


def undo() -> None:
    """Take the last stroke back, or those that the browser reported together with it."""
    sheets = st.session_state.get("sheets", [])
    if not sheets:
        return
    if len(sheets) == 1:
        clear()
        return
    # The new canvas says nothing before its next stroke; what it holds was kept.
    sheets.pop()
    count, picture = sheets[-1]
    strokes = st.session_state["strokes"]
    st.session_state["strokes"] = {**strokes, "objects": strokes["objects"][:count]}
    _renew(st.session_state["strokes"])
    _read_drawing(_decoded(picture))


def arrive() -> None:
    """Back from another page the canvas is empty: it starts with what was drawn.

    Later it must not change, or it would be redrawn under somebody's pen. A file that could
    not be read is forgotten.
    """
    if (found := subject()) and found.source != DRAWING and not found.pictures:
        st.session_state.pop("subject")
    elif found and found.pictures:
        file = b"" if found.problem else found.file
        st.session_state["subject"] = dataclasses.replace(found, problem="", file=file)
    st.session_state["canvas_start"] = st.session_state.get("strokes")


def show(pen: str) -> None:
    """The sheet itself. What was drawn is the subject from then on.

    Args:
        pen: a key of ``PENS``.
    """
    key = st.session_state.get("canvas", 0)
    result: Any = st_canvas(
        stroke_width=PENS[pen],
        stroke_color=INK,
        background_color=PAPER,
        height=SIDE,
        width=SIDE,
        initial_drawing=st.session_state.get("canvas_start"),
        return_image_data=True,
        key=f"canvas-{key}",
    )
    _remove_tools(key=f"tools-{key}")
    received = _received(result)
    if received is None:
        return
    strokes, picture = received
    count = len(strokes["objects"])
    if not count:
        # A sheet that was emptied; a picture that was chosen instead stays.
        if st.session_state.get("strokes"):
            _forget()
        return
    sheets = st.session_state.get("sheets", [])
    if sheets and sheets[-1] == (count, picture):
        return
    drawn = _decoded(picture)
    st.session_state["strokes"] = strokes
    before = [sheet for sheet in sheets if sheet[0] < count]
    st.session_state["sheets"] = _fitting([*before, (count, picture)])
    _read_drawing(drawn)


def _received(result: Any) -> tuple[dict[str, Any], bytes] | None:
    """Strokes and picture of the sheet; None where there are none.

    They come from a stranger's browser, which may send anything.
    """
    try:
        strokes, picture = result.json_data, result.image_bytes
        if not strokes or picture is None:
            return None
        if isinstance(strokes["objects"], list):
            return strokes, picture
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    log.warning("a browser sent what no canvas of ours does")
    return None


def _fitting(sheets: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The last of them, as far as a session has room for."""
    sheets = sheets[-MOST_UNDO:]
    while sum(len(picture) for _, picture in sheets) > MOST_BYTES_OF_UNDO:
        sheets = sheets[1:]
    return sheets


def _read_drawing(picture: np.ndarray) -> None:
    """The digits on the sheet, each by itself, are what there is to read."""
    try:
        figures = photo.find_drawn_figures(picture)
    except EmptyDrawing as error:
        _read(DRAWING, [], problem=str(error))
        return
    if len(figures) == 1:
        _read(DRAWING, [figures[0].ink])
    else:
        _read(DRAWING, inks(figures), sheet=framed(DRAWING, picture, figures))


def inks(figures: Sequence[photo.Figure]) -> list[np.ndarray]:
    """As bytes: a quarter of the memory, for a session keeps them."""
    return [drawing.to_bytes(drawing.to_grey(figure.ink)) for figure in figures]


def framed(source: str, picture: np.ndarray, figures: Sequence[photo.Figure]) -> str:
    """HTML: a picture from there with a frame around each of its figures."""
    count = f"{len(figures)} figures were" if len(figures) > 1 else "one figure was"
    return html.framed(
        drawing.shrink(picture, SHEET_SIDE),
        [figure.box for figure in figures],
        picture.shape,
        f"{source}, in which {count} found",
    )


def _read(source: str, pictures: list[np.ndarray], **more: Any) -> None:
    number = st.session_state.get("subject_number", 0) + 1
    st.session_state["subject_number"] = number
    st.session_state["subject"] = Subject(number, source, pictures, **more)


def _forget() -> None:
    for name in ("strokes", "sheets", "subject", "read"):
        st.session_state.pop(name, None)


def _renew(strokes: dict[str, Any] | None) -> None:
    st.session_state["canvas"] = st.session_state.get("canvas", 0) + 1
    st.session_state["canvas_start"] = strokes


def _decoded(png: bytes) -> np.ndarray:
    """The sheet as uint8 grey (h, w).

    It comes from a stranger's browser: what no canvas of ours can have sent is a blank sheet.
    """
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
            if max(picture.size) <= MOST_SIDE:
                return np.asarray(picture.convert("L"))
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
    ):
        log.warning("a browser sent a canvas that is no picture")
    return np.full((SIDE, SIDE), 255, np.uint8)


# The canvas hides tools of its own, unseen but in the way, over its upper right corner: a
# digit begun there pressed them instead. The buttons below the sheet do for all.
_remove_tools = st.components.v2.component(
    "remove_tools",
    js=(Path(__file__).parent / "canvas_tools.js").read_text(),
)
