"""Draw: a canvas, what the network reads in it as soon as the pen lifts, and why."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from mnist_core import drawing
from mnist_core.errors import EmptyDrawing
from mnist_core.plots import html
from mnist_core.plots.style import NONE
from mnist_core.store.run import Run
from pages.components import canvas, notices, pictures, run_picker
from pages.components.answers import Answer, answer, show_answer
from pages.components.canvas import Subject
from pages.components.choices import choose
from pages.components.closer_look import EVERY_STEP, choose_steps, closer_look, left_out
from pages.components.strokes import PENS
from pages.shared import presenter, shell

shell.guard("draw")

# More figures than this are chosen by number, and their digits are smaller: so many buttons
# would fill a phone.
MANY = 12


@shell.fragment
def draw_and_read(runs: list[Run]) -> None:
    left, right = st.columns([2, 3], gap="large")
    with left:
        show_sheet()
    # Below the answer, so that on a phone canvas and answer are in view together.
    with presenter.hidden_when_presenting("other_ways"):
        other_ways = st.expander("Read a test digit or a photograph instead")
    with other_ways:
        pictures.other_ways()
    subject = canvas.subject()
    if subject and (subject.file or subject.problem):
        other_ways.caption("What was read is above, next to the sheet.")
    with right:
        if subject is None:
            nothing_to_read(
                "Draw a digit of any size, anywhere on the sheet. The answer appears as you draw."
            )
            return
        if not subject.pictures and subject.source == canvas.DRAWING:
            nothing_to_read(subject.problem)
            return
        if subject.problem:
            # About a file. A drawing that is still on the sheet is read below.
            st.error(subject.problem, icon=":material/error:")
        if not subject.pictures:
            nothing_to_read()
            return
        try:
            images, answers = read(subject, runs)
        except EmptyDrawing as error:
            nothing_to_read(str(error))
            # A missing step may be the reason.
            choose_steps()
            return
        show_answers(answers, images, subject)
        place = choose_figure(len(images), subject) - 1 if len(images) > 1 else 0
    closer_look(subject, answers, images, place)


def show_sheet() -> None:
    """The canvas and its tools."""
    with st.container(key="sheet"):
        canvas.show(st.session_state.get("pen") or "Medium", pictures.take_test_digit)
    with st.container(key="tools", horizontal=True):
        shell.button("Undo", "undo", canvas.undo)
        shell.button("Clear", "delete", canvas.clear)
        shell.button("Use a test digit", "casino", pictures.take_test_digit)
        if (subject := canvas.subject()) and subject.file:
            shell.button("Turn", "rotate_right", pictures.turn_picture)
    with presenter.hidden_when_presenting("pen"):
        choose("Pen", list(PENS), "pen", default="Medium", persist_state="session")


def show_answers(answers: Sequence[Answer], images: np.ndarray, subject: Subject) -> None:
    columns = st.columns(len(answers), gap="large")
    for number, (column, found) in enumerate(zip(columns, answers, strict=True)):
        key = f"answer{number}" + "_of_many" * (len(images) > MANY)
        with column, st.container(key=key):
            if len(answers) > 1:
                st.caption(run_picker.title(found.run))
            show_answer(found, images)
    if subject.sheet:
        st.html(subject.sheet)
    if subject.note:
        st.info(subject.note, icon=":material/info:")
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(images) == 1:
            with st.container(width=110):
                st.html(html.seen_picture(images[0], "The 28 by 28 pixels the network was given"))
        skipped = 0 if subject.prepared else len(left_out())
        st.caption(
            f"{subject.source}, as the network sees it"
            + (f"; {skipped} of {len(EVERY_STEP)} steps left out" if skipped else "")
        )


def choose_figure(count: int, subject: Subject) -> int:
    """The number of the figure to look at closely, 1 to ``count``."""
    # A new picture starts with its first figure.
    label, key = "Look closer at figure", f"figure{subject.number}"
    if count > MANY:
        return int(st.number_input(f"{label}, 1 to {count}", 1, count, key=key, width=280))
    return choose(label, range(1, count + 1), key, label_visibility="visible")


def nothing_to_read(sentence: str = "") -> None:
    with st.container(key="answer0"):
        st.metric("Prediction", NONE)
    if sentence:
        st.write(sentence)


def read(subject: Subject, runs: list[Run]) -> tuple[np.ndarray, list[Answer]]:
    """The subject's figures as the networks see them, uint8 (n, 28, 28), and their answers.

    A full page takes a third of a second, so the result is kept until something changes.
    """
    key = subject.number, left_out(), runs
    known = st.session_state.get("read")
    if known and known[0] == key:
        return known[1], known[2]
    images = np.stack(
        [
            picture if subject.prepared else drawing.prepare(picture, left_out())[-1].picture
            for picture in subject.pictures
        ]
    )
    answers = [answer(run, images) for run in runs]
    st.session_state["read"] = key, images, answers
    return images, answers


st.title("Draw a digit")
# Above the choice of networks, so that canvas and answer fit the screen of a phone together.
sheet = st.container(key="drawing")
found = run_picker.trained_runs()
with presenter.hidden_when_presenting("runs", horizontal=True, gap="medium"):
    run = run_picker.pick_run("Network", runs=found)
    other = run_picker.pick_other_run("Second network", run, found)
if st.session_state.get("arrived", True):
    canvas.arrive()
with sheet:
    draw_and_read([run, other] if other else [run])
notices.next_step("evaluate", "See where this network is wrong", run=run.id)
