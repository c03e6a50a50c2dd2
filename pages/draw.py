"""Draw: a canvas, and what the network reads in it as soon as the pen lifts."""

from typing import Any

import numpy as np
import streamlit as st
from streamlit_drawable_canvas import st_canvas

from mnist_core import drawing, markup
from mnist_core.errors import EmptyDrawing, UserError
from mnist_core.runs import Run
from pages import shared

shared.guard("draw")

CANVAS_SIDE = 320
# About a fifteenth of a digit that fills the sheet, as MNIST's pens were.
PEN_WIDTH = 18
# What the session keeps of a drawing: its strokes, what the network sees, where it is from.
KEPT = ("strokes", "seen", "source")
INK, PAPER = "#101820", "#FFFFFF"


# The canvas hides its tools, unseen but in the way, over its own upper right corner: a
# digit begun there pressed them instead. They belong above the sheet; and where there is
# no mouse that could call them up, they are always shown.
_lift_tools = st.components.v2.component(
    "lift_tools",
    js="""export default function() {
  const style = `.dc-toolbar { top: -2.65rem !important; }
    @media (hover: none) { .dc-toolbar { opacity: 1 !important; } }`;
  function lift() {
    let found = false;
    const isolated = '[data-testid="stBidiComponentIsolated"]';
    for (const { shadowRoot } of document.querySelectorAll(isolated)) {
      if (!shadowRoot?.querySelector('.dc-toolbar')) continue;
      found = true;
      if (shadowRoot.querySelector('.lifted')) continue;
      const sheet = document.createElement('style');
      sheet.className = 'lifted';
      sheet.textContent = style;
      shadowRoot.append(sheet);
    }
    return found;
  }
  // The canvas may be there a moment later than this.
  let tries = 100;
  const timer = setInterval(() => { if (lift() || --tries === 0) clearInterval(timer); }, 50);
  return () => clearInterval(timer);
}""",
)


def clear() -> None:
    """A canvas with another key is a new, empty one."""
    st.session_state["canvas"] = st.session_state.get("canvas", 0) + 1
    for name in ("canvas_start", *KEPT):
        st.session_state.pop(name, None)


def take_test_digit() -> None:
    dataset = shared.dataset()
    place = int(np.random.default_rng().integers(len(dataset.x_test)))
    clear()
    st.session_state["seen"] = dataset.x_test[place]
    st.session_state["source"] = f"Test image {place}, labelled {dataset.y_test[place]}"


def canvas() -> None:
    """Draw, and keep strokes and picture in the session: they outlive the page."""
    result: Any = st_canvas(
        stroke_width=PEN_WIDTH,
        stroke_color=INK,
        background_color=PAPER,
        height=CANVAS_SIDE,
        width=CANVAS_SIDE,
        initial_drawing=st.session_state.get("canvas_start"),
        return_image_data=True,
        key=f"canvas-{st.session_state.get('canvas', 0)}",
    )
    if result is None or result.image_data is None or not result.json_data:
        return
    strokes = result.json_data
    if not strokes.get("objects"):
        if st.session_state.get("strokes"):
            for name in KEPT:
                st.session_state.pop(name, None)
        return
    st.session_state["strokes"] = strokes
    try:
        st.session_state["seen"] = drawing.to_mnist(result.image_data)
        st.session_state["source"] = "Your drawing"
    except EmptyDrawing:
        st.session_state.pop("seen", None)


@shared.fragment
def draw_and_read(run: Run) -> None:
    left, right = st.columns([2, 3], gap="large")
    with left:
        canvas()
        with st.container(horizontal=True):
            st.button("Clear", icon=":material/delete:", on_click=clear)
            st.button("Use a test digit", icon=":material/casino:", on_click=take_test_digit)
        _lift_tools(key=f"lift-{st.session_state.get('canvas', 0)}")
    with right:
        answer(run)


def upload() -> None:
    st.file_uploader(
        "A photograph or scan of one digit; it is read and not stored",
        type=["png", "jpg", "jpeg", "webp"],
        key="upload",
        on_change=take_picture,
    )
    if problem := st.session_state.get("upload_problem"):
        st.error(problem, icon=":material/error:")


def take_picture() -> None:
    """Read the file as soon as it is there; what is wrong with it is said beside it."""
    st.session_state["upload_problem"] = ""
    file = st.session_state["upload"]
    if file is None:
        return
    try:
        picture = drawing.to_mnist(drawing.read_picture(file.getvalue()))
    except UserError as error:
        st.session_state["upload_problem"] = str(error)
        return
    clear()
    st.session_state["seen"] = picture
    st.session_state["source"] = "Your picture"


def answer(run: Run) -> None:
    """The digit, how sure the network is of each, and the picture it was given."""
    seen = st.session_state.get("seen")
    if seen is None:
        st.metric("Prediction", "–")
        st.write("Draw a digit, large or small, anywhere on the sheet. The answer comes by itself.")
        return
    probabilities = shared.classifier(run).predict_proba(seen[None])[0]
    digit = int(probabilities.argmax())
    with st.container(horizontal=True, gap="large"):
        with st.container(width=170, key="answer"):
            st.metric(
                "Prediction", str(digit), f"{probabilities[digit]:.0%} sure", delta_arrow="off"
            )
            st.html(markup.seen_picture(seen, "The 28 by 28 pixels the network was given"))
            st.caption(f"{st.session_state['source']}, as the network sees it")
        with st.container(width="stretch"):
            st.html(markup.probability_bars(probabilities))


st.title("Draw a digit")
# The sheet first: on a phone, canvas and answer then fit the screen together.
sheet = st.container()
run = shared.pick_run("Who reads it")
if st.session_state.get("arrived", True):
    # Back from another page the canvas is empty: it starts with what was drawn. Later it
    # must not change, or it would be redrawn under somebody's pen.
    st.session_state["canvas_start"] = st.session_state.get("strokes")
    st.session_state["upload_problem"] = ""
with sheet:
    # Room for the canvas's tools.
    st.space("xsmall")
    draw_and_read(run)
with st.expander("Read a picture file instead"):
    upload()
shared.next_step("evaluate", "See where this network is wrong", ":material/grid_on:", run=run.id)
