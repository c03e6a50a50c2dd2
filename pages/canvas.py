"""The sheet to draw on: strokes, undo, clear; and the pictures that it leaves behind.

What is drawn is kept in the visitor's session, so that it outlives a visit to another page.
Whoever shows the sheet reads ``subject()``: what there is to be read now.
"""

import io
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image, UnidentifiedImageError
from streamlit_drawable_canvas import st_canvas

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


@dataclass(frozen=True)
class Subject:
    """What there is to read.

    Attributes:
        number: another one for each subject of this visitor.
        source: where it is from, for a person.
        pictures: one for each digit: as ``drawing.to_mnist`` takes them, or uint8
            (28, 28) if they are ``prepared``.
        prepared: they are MNIST's own, and need no preparation.
        sheet: HTML of the photograph they were found in, or empty.
    """

    number: int
    source: str
    pictures: list[np.ndarray]
    prepared: bool = False
    sheet: str = ""


def subject() -> Subject | None:
    """What this visitor drew or chose last; None if there is nothing."""
    found: Subject | None = st.session_state.get("subject")
    return found


def take(
    source: str, pictures: list[np.ndarray], *, prepared: bool = False, sheet: str = ""
) -> None:
    """Something else than a drawing is to be read: the sheet is emptied for it."""
    clear()
    _read(source, pictures, prepared, sheet)


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
    _read("Your drawing", [_decoded(picture)])


def arrive() -> None:
    """Back from another page the canvas is empty: it starts with what was drawn.

    Later it must not change, or it would be redrawn under somebody's pen.
    """
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
    _read("Your drawing", [drawn])


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


def _read(source: str, pictures: list[np.ndarray], prepared: bool = False, sheet: str = "") -> None:
    number = st.session_state.get("subject_number", 0) + 1
    st.session_state["subject_number"] = number
    st.session_state["subject"] = Subject(number, source, pictures, prepared, sheet)


def _forget() -> None:
    for name in ("strokes", "sheets", "subject", "upload_problem"):
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
    js="""export default function() {
  function remove() {
    let found = false;
    const isolated = '[data-testid="stBidiComponentIsolated"]';
    for (const { shadowRoot } of document.querySelectorAll(isolated)) {
      if (!shadowRoot?.querySelector('.dc-toolbar')) continue;
      found = true;
      if (shadowRoot.querySelector('.bare')) continue;
      const sheet = document.createElement('style');
      sheet.className = 'bare';
      sheet.textContent = '.dc-toolbar { display: none !important; }';
      shadowRoot.append(sheet);
    }
    return found;
  }
  // The canvas may be there a moment later than this.
  let tries = 100;
  const timer = setInterval(() => { if (remove() || --tries === 0) clearInterval(timer); }, 50);
  return () => clearInterval(timer);
}""",
)


if __name__ == "__main__":
    # Somebody opened /canvas, which Streamlit takes for a page before the dashboard ran.
    st.switch_page("dashboard.py")
