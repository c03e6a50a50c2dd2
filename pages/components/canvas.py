"""The sheet to draw on: strokes, undo, clear; and what there is to read, ``subject()``.

The browser sends a picture of the sheet and its strokes. The strokes are kept, so that any of them
can be undone; a drawing survives a visit to another page in the visitor's session, and a reload
in the browser's tab.
"""

import dataclasses
import io
import logging
from collections.abc import Callable, Sequence
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
from mnist_core.plots import html, style
from pages.components.strokes import (
    INK,
    PAPER,
    PENS,
    SIDE,
    Stroke,
    checked,
    from_canvas,
    picture_of,
    to_canvas,
)
from pages.shared import shell

log = logging.getLogger("pages")

FOLDER = Path(__file__).parent
# High-resolution screens send up to four pixels for one.
MOST_SIDE = 4 * SIDE
# A drawing of several digits, or a photograph, is shown with at most this many pixels a side.
SHEET_SIDE = 400
DRAWING, PICTURE = "Your drawing", "Your picture"
HELPER = "canvas_helper"

_helper = st.components.v2.component(
    HELPER,
    html='<p class="hint"></p>',
    css=(FOLDER / "canvas.css").read_text(),
    js=(FOLDER / "canvas.js").read_text(),
)


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
    _new_canvas(())
    _forget()


def undo() -> None:
    """Undo the last stroke."""
    # Strokes that came together with this click have not been read yet.
    sent = st.session_state.get(_key()) or {}
    if report := sent.get("drawing"):
        _receive(report.get("raw"), None)
    strokes = _strokes()
    if not strokes:
        return
    _new_canvas(strokes[:-1])
    if len(strokes) > 1:
        # The new canvas reports nothing before its next stroke.
        _read_strokes(strokes[:-1])
    else:
        _forget()


def arrive() -> None:
    """Back from another page, start the canvas with what was drawn; forget unreadable files.

    Only then: a later change would redraw the canvas under somebody's pen.
    """
    if (found := subject()) and found.source != DRAWING and not found.pictures:
        st.session_state.pop("subject")
    elif found and found.pictures:
        file = b"" if found.problem else found.file
        st.session_state["subject"] = dataclasses.replace(found, problem="", file=file)
    st.session_state["canvas_start"] = _strokes()


def show(pen: str, on_ask: Callable[[], None]) -> None:
    """The sheet itself. What is drawn on it becomes the subject.

    Args:
        pen: a key of ``PENS``.
        on_ask: called when the keyboard, which cannot draw, asks for a test digit.
    """
    result: Any = st_canvas(
        stroke_width=PENS[pen],
        stroke_color=INK,
        background_color=PAPER,
        height=SIDE,
        width=SIDE,
        initial_drawing=to_canvas(st.session_state.get("canvas_start", ())),
        return_image_data=True,
        key=_key(),
    )
    _receive(result.json_data, result.image_bytes)
    strokes = _strokes()
    _helper(
        data={
            # A sheet that was just made has tools to hide, and may be there a little later.
            "sheet": _key(),
            "side": SIDE,
            # Nothing was drawn or chosen in this session: after a reload the browser knows more.
            "first": "canvas" not in st.session_state and not strokes and subject() is None,
            # Tuples: to tell whether a list is a data frame, Streamlit would load pandas.
            "strokes": strokes,
            "label": f"Sheet to draw a digit on: {style.counted(len(strokes), 'stroke')}",
            "hint": "Drawing needs a mouse, a pen or a finger. On a keyboard, press Enter to use "
            "a test digit instead.",
        },
        key=HELPER,
        on_kept_change=_take_kept,
        on_asked_change=shell.guarded(on_ask),
    )


def _receive(drawn: Any, png: bytes | None) -> None:
    """Read what the browser reported, if anything has changed. It may send anything.

    Args:
        drawn: the canvas as Fabric.js describes it.
        png: a picture of it; None to make one of the strokes.
    """
    if not drawn:
        return
    try:
        strokes = checked(from_canvas(drawn))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        log.warning("a browser sent data that is not from our canvas")
        return
    if strokes == _strokes():
        return
    if strokes:
        _read_strokes(strokes, png)
    else:
        # The sheet was cleared.
        _forget()


def _take_kept() -> None:
    """Put on the sheet what the browser kept through a reload."""
    try:
        strokes = checked(st.session_state[HELPER]["kept"])
    except (KeyError, TypeError, ValueError):
        log.warning("a browser kept data that is not from our canvas")
        return
    if strokes:
        _new_canvas(strokes)
        _read_strokes(strokes)


def _read_strokes(strokes: tuple[Stroke, ...], png: bytes | None = None) -> None:
    """Read the digits on the sheet, each by itself."""
    st.session_state["strokes"] = strokes
    picture = _decoded(png) if png else None
    if picture is None:
        picture = picture_of(strokes)
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
    for name in ("strokes", "subject", "read"):
        st.session_state.pop(name, None)


def _strokes() -> tuple[Stroke, ...]:
    """What is on the sheet, as far as the server knows."""
    strokes: tuple[Stroke, ...] = st.session_state.get("strokes", ())
    return strokes


def _key() -> str:
    return f"canvas-{st.session_state.get('canvas', 0)}"


def _new_canvas(strokes: tuple[Stroke, ...]) -> None:
    """A canvas with another key is a new one."""
    st.session_state["canvas"] = st.session_state.get("canvas", 0) + 1
    st.session_state["canvas_start"] = strokes


def _decoded(png: bytes) -> np.ndarray | None:
    """The sheet as uint8 grey (h, w); None if the data cannot be from our canvas."""
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
            if max(picture.size) <= MOST_SIDE:
                return np.asarray(picture.convert("L"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        log.warning("a browser sent a canvas that is not a picture")
    return None
