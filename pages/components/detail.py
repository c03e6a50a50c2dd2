"""The detail view: one digit of the data, large, what networks say of it, and its neighbours.

A dialog over whichever page the digit was chosen on. Which digit it shows is in the
address, as ``image=test-123``, so that it can be sent to somebody.
"""

import re

import numpy as np
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from mnist_core import data
from mnist_core.plots import digits, html
from mnist_core.store.run import Run
from pages.components import run_picker
from pages.components.gallery import gallery
from pages.shared import cache, shell

PARAMETER = "image"
MOST_NETWORKS = 3
NEIGHBOURS = 12


def name(split: str, place: int) -> str:
    """What a digit is called in the address, such as "test-123".

    Args:
        split: "train" or "test".
        place: its place among those images.
    """
    return f"{split}-{place}"


def is_name(text: str) -> bool:
    """Whether there is a digit of that name among the data at hand."""
    match = re.fullmatch(r"(train|test)-(\d{1,6})", text)
    return match is not None and int(match[2]) < len(cache.images_of(match[1])[1])


def choose(split: str, place: int) -> None:
    """Let this digit be the one that is shown from the next rerun on."""
    st.query_params[PARAMETER] = name(split, place)


def close() -> None:
    """Show none."""
    st.query_params.pop(PARAMETER, None)


def show() -> None:
    """Open the dialog if the address names a digit, unless it was opened in this rerun.

    The last line of every page with digits, and of every part of one that reruns alone: the
    page's own comes too late for a click in the part.
    """
    context = get_script_run_ctx()
    if PARAMETER in st.query_params and context and not context.has_dialog_opened:
        dialog()


@st.dialog("One digit", width="large", on_dismiss=close)
@shell.guarded
def dialog() -> None:
    chosen = st.query_params.get(PARAMETER, "")
    if not is_name(chosen):
        st.write("This digit is no longer available.")
        return
    split, number = chosen.split("-")
    place = int(number)
    images, labels = cache.images_of(split)
    image, label = data.take(images, np.array([place]))[0], int(labels[place])
    word = "Test" if split == "test" else "Training"
    st.subheader(f"{word} image {place}: labelled {label}", anchor=False)
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            digits.pixels(image),
            key="pixels",
            config={"displayModeBar": False},
            alt=f"The image, a handwritten {label}, pixel by pixel",
        )
        st.caption("Point at a pixel: 0 is paper, 255 is ink.")
    with right:
        runs = {run.id: run for run in run_picker.trained_runs()}
        of_page = st.query_params.get("run")
        asked = st.multiselect(
            "What do these networks say?",
            list(runs),
            default=[of_page] if of_page in runs else list(runs)[:1],
            max_selections=MOST_NETWORKS,
            key="asked",
            format_func=lambda run_id: runs[run_id].title,
        )
        for run_id in asked:
            show_answer(runs[run_id], image, label)
        show_doubt(split, place)
        if trained := [
            runs[run_id].label
            for run_id in asked
            if split == "test" and cache.has_learned_the_sample(runs[run_id])
        ]:
            st.caption(
                f"Trained on this image among others, so its answer is no test: "
                f"{', '.join(trained)}."
            )
        if split == "train":
            st.caption(
                "Most training images were seen with their labels when a network was trained, "
                "so its answer is no test."
            )
    show_neighbours(split, place)


def show_answer(run: Run, image: np.ndarray, label: int) -> None:
    """What one network reads, as a sentence and as bars."""
    with shell.show_errors():
        probabilities = cache.classifier(run).predict_proba(image[None])[0]
        answer = int(probabilities.argmax())
        verdict = "right" if answer == label else "not its label"
        # A name is a visitor's text, and no markdown.
        st.text(f"{run.title} reads a {answer}: {verdict}.")
        st.html(html.probability_bars(probabilities))


def show_doubt(split: str, place: int) -> None:
    """What a network that never saw it makes of a training image, where that is known."""
    found = cache.suspects() if split == "train" else None
    for suspect in found.ranked if found else ():
        if suspect.place == place:
            st.info(
                f"A network that never saw this image reads a {suspect.predicted} "
                f"({suspect.confidence:.1%}). Is its label wrong?",
                icon=":material/help:",
            )


def show_neighbours(split: str, place: int) -> None:
    places, distances = cache.neighbours(cache.dataset(), split, place, NEIGHBOURS)
    images, labels = cache.images_of("train")
    st.markdown("**The training images nearest to it, pixel by pixel**")
    gallery(
        data.take(images, places),
        [str(labels[near]) for near in places],
        [
            f"Training image {near}, labelled {labels[near]}, at a distance of {distance:,.0f}"
            for near, distance in zip(places, distances, strict=True)
        ],
        label="Nearest training images",
        key="neighbours",
        on_choose=lambda number: choose("train", int(places[number])),
    )
    same = int((labels[places] == cache.images_of(split)[1][place]).sum())
    st.caption(f"{same} of {len(places)} have the same label. Choose one to look at it.")
