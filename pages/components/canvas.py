"""The sheet to draw on: strokes, undo, clear; and what there is to read, ``subject()``.

Drawings are kept in the visitor's session, so that they survive a visit to another page.
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
from PIL import Image
from streamlit_drawable_canvas import st_canvas

from mnist_core import drawing
from mnist_core.drawing import photo
from mnist_core.errors import EmptyDrawing
from mnist_core.plots import html

log = logging.getLogger("pages")

SIDE = 320
# The medium one is about a fifteenth of a digit that fills the sheet, as in MNIST.
PENS = {"Fine": 8, "Medium": 18, "Broad": 30}
INK, PAPER = "#101820", "#FFFFFF"
# Strokes that can be undone, each with a picture of the sheet of about 3 KB; and the bytes that
# those pictures may take in a session, because a stranger may send any.
MOST_UNDO, MOST_BYTES_OF_UNDO = 100, 2_000_000
# High-resolution screens send up to four pixels for one.
MOST_SIDE = 4 * SIDE
# A drawing of several digits, or a photograph, is shown with at most this many pixels a side.
SHEET_SIDE = 400
DRAWING, PICTURE = "Your drawing", "Your picture"


@dataclass(frozen=True)
class Subject:
    """What there is to read.

    Attributes:
        number: unique among this visitor's subjects.
        source: where it is from, in words.
        pictures: one for each digit: as ``drawing.to_mnist`` takes them, or uint8
            (28, 28) if they are ``prepared``. Empty if there is no digit.
        prepared: they are MNIST's own images and need no preparation.
        sheet: HTML of the picture that the digits were found in, or empty.
        note: one sentence about how they were found, or empty.
        problem: why there is no digit, or why the last file could not be read: one sentence, or
            empty.
        file: the last picture that was sent, as a PNG, to turn it; or empty.
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
    """What this visitor drew or chose last, if anything."""
    found: Subject | None = st.session_state.get("subject")
    return found


def take(source: str, pictures: list[np.ndarray], **more: Any) -> None:
    """Read something other than a drawing, and clear the sheet for it.

    Args:
        more: other attributes of ``Subject``.
    """
    clear()
    _read(source, pictures, **more)


def refuse(problem: str, file: bytes = b"") -> None:
    """Say why a file cannot be read, instead of an earlier file's answer.

    A drawing stays, because it is still visible on the sheet.
    """
    found = subject()
    if found and found.source == DRAWING and found.pictures:
        st.session_state["subject"] = dataclasses.replace(found, problem=problem, file=file)
    else:
        take(PICTURE, [], problem=problem, file=file)


def clear() -> None:
    _new_canvas(None)
    _forget()


def undo() -> None:
    """Undo the last stroke, or those that the browser reported together with it."""
    sheets = st.session_state.get("sheets", [])
    if not sheets:
        return
    if len(sheets) == 1:
        clear()
        return
    # The new canvas reports nothing before its next stroke, so use the picture that was kept.
    sheets.pop()
    count, picture = sheets[-1]
    strokes = st.session_state["strokes"]
    st.session_state["strokes"] = {**strokes, "objects": strokes["objects"][:count]}
    _new_canvas(st.session_state["strokes"])
    _read_drawing(_decoded(picture))


def arrive() -> None:
    """Back from another page, start the canvas with what was drawn; forget unreadable files.

    Only then: a later change would redraw the canvas under somebody's pen.
    """
    if (found := subject()) and found.source != DRAWING and not found.pictures:
        st.session_state.pop("subject")
    elif found and found.pictures:
        file = b"" if found.problem else found.file
        st.session_state["subject"] = dataclasses.replace(found, problem="", file=file)
    st.session_state["canvas_start"] = st.session_state.get("strokes")


def show(pen: str) -> None:
    """The sheet itself. What is drawn on it becomes the subject.

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
        # The sheet was cleared; a picture that was chosen instead stays.
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
    """Strokes and picture of the sheet; None if the browser, which may send anything, sent none."""
    try:
        strokes, picture = result.json_data, result.image_bytes
        if not strokes or picture is None:
            return None
        if isinstance(strokes["objects"], list):
            return strokes, picture
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    log.warning("a browser sent data that is not from our canvas")
    return None


def _fitting(sheets: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The last sheets that a session has room for."""
    sheets = sheets[-MOST_UNDO:]
    while sum(len(picture) for _, picture in sheets) > MOST_BYTES_OF_UNDO:
        sheets = sheets[1:]
    return sheets


def _read_drawing(picture: np.ndarray) -> None:
    """Read the digits on the sheet, each by itself."""
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
    """The figures' pictures as bytes, a quarter of the memory, because a session keeps them."""
    return [drawing.to_bytes(drawing.to_grey(figure.ink)) for figure in figures]


def framed(source: str, picture: np.ndarray, figures: Sequence[photo.Figure]) -> str:
    """HTML of a picture with a frame around each figure."""
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


def _new_canvas(strokes: dict[str, Any] | None) -> None:
    """A canvas with another key is a new one."""
    st.session_state["canvas"] = st.session_state.get("canvas", 0) + 1
    st.session_state["canvas_start"] = strokes


def _decoded(png: bytes) -> np.ndarray:
    """The sheet as uint8 grey (h, w); blank if the data cannot be from our canvas."""
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
            if max(picture.size) <= MOST_SIDE:
                return np.asarray(picture.convert("L"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        log.warning("a browser sent a canvas that is not a picture")
    return np.full((SIDE, SIDE), 255, np.uint8)


# The canvas has invisible tools over its upper right corner; a digit begun there would press
# them. The buttons below the sheet replace them.
_remove_tools = st.components.v2.component(
    "remove_tools",
    js=(Path(__file__).parent / "canvas_tools.js").read_text(),
)
