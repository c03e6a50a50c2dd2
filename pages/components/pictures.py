"""What there is to read besides a drawing: a test digit, a photograph."""

import threading
from collections.abc import Callable

import numpy as np
import streamlit as st

from mnist_core import drawing
from mnist_core.drawing import reading
from mnist_core.errors import UserError
from mnist_core.plots import html
from pages.components import canvas
from pages.server import limits, uploads
from pages.server.rates import PICTURE
from pages.shared import cache, shell
from pages.shared.visitor import this_visitor

# A photograph takes a hundred megabytes for a moment; thirty at once would take too many.
ONE_AT_A_TIME = threading.Lock()


def take_test_digit(place: int | None = None) -> None:
    """Read one of the test images, by its number or a random one, instead of a drawing."""
    dataset = cache.dataset()
    if place is None:
        place = int(np.random.default_rng().integers(len(dataset.x_test)))
    place = min(max(place, 0), len(dataset.x_test) - 1)
    source = f"Test image {place}, labelled {dataset.y_test[place]}"
    if trained := [run.id for run in cache.shipped_runs() if cache.has_learned_the_sample(run)]:
        source += f", which {' and '.join(trained)} were trained on"
    canvas.take(source, [dataset.x_test[place].copy()], prepared=True)


def take_numbered_digit() -> None:
    take_test_digit(int(st.session_state["test_number"] or 0))


def upload_key() -> str:
    """A new uploader for each picture, because the last one promises to delete its file."""
    return f"upload{st.session_state.get('uploads', 0)}"


def take_picture() -> None:
    file = st.session_state[upload_key()]
    if file is None:
        return
    content = file.getvalue()
    uploads.forget(file)
    st.session_state["uploads"] = st.session_state.get("uploads", 0) + 1
    read_picture(lambda: drawing.read_picture(content))


def turn_picture() -> None:
    """Read the last picture again, turned clockwise by 90 degrees."""
    if (subject := canvas.subject()) and subject.file:
        read_picture(lambda: np.rot90(drawing.read_picture(subject.file), -1))


def read_picture(decode: Callable[[], np.ndarray]) -> None:
    """Find the figures in a picture. Keep the picture itself as well, to turn it."""
    file = b""
    try:
        limits.check(PICTURE, this_visitor(remember=False))
        with ONE_AT_A_TIME:
            # Only its grey values are used and kept.
            picture = drawing.to_bytes(drawing.to_grey(decode()))
            file = html.png(picture)
            figures, note = reading.read_figures(picture)
    except UserError as error:
        canvas.refuse(str(error), file)
        return
    canvas.take(
        canvas.PICTURE,
        canvas.inks(figures),
        sheet=canvas.framed(canvas.PICTURE, picture, figures),
        note=note,
        file=file,
    )


def other_ways() -> None:
    """A test digit by its number, for anyone who cannot draw; a photograph."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        most = len(cache.dataset().x_test) - 1
        st.number_input(
            f"Number of a test image, 0 to {most}", 0, most, key="test_number", width=280
        )
        shell.button("Read it", "looks_one", take_numbered_digit)
    # Any type of file is accepted: phones then send photographs as JPEG, and we say in one
    # sentence what is wrong with a file of another kind.
    st.file_uploader(
        "A photograph or scan of one digit or many; deleted when you leave or send another",
        key=upload_key(),
        on_change=shell.guarded(take_picture),
    )
