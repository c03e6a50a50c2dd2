"""The detail view: one digit enlarged, what networks read in it, and its neighbours.

A dialog over the page on which the digit was chosen. The address names the digit, as
``image=test-123``, so that it can be shared.
"""

import re
from collections.abc import Sequence

import numpy as np
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from mnist_core import data
from mnist_core.plots import digits, html
from mnist_core.store.run import Run
from pages.components import run_picker
from pages.components.gallery import gallery
from pages.shared import cache, presenter, shell

PARAMETER = "image"
MOST_NETWORKS = 3
NEIGHBOURS = 12
# The height of the digit in pixels: on a page, and on a projector, the smallest of which has 720.
USUAL, ENLARGED = 340, 460


def is_name(text: str) -> bool:
    """Whether this names a digit of the data at hand, such as "test-123"."""
    match = re.fullmatch(r"(train|test)-(\d{1,6})", text)
    return match is not None and int(match[2]) < len(cache.images_of(match[1])[1])


def choose(split: str, place: int) -> None:
    """Show this digit from the next rerun on.

    Args:
        split: "train" or "test".
        place: its place among those images.
    """
    st.query_params[PARAMETER] = f"{split}-{place}"


def show_digits(
    split: str,
    places: np.ndarray,
    captions: Sequence[str],
    key: str,
    *,
    texts: Sequence[str] = (),
    label: str = "Digits",
) -> None:
    """A gallery of digits; the one that is clicked opens in this view.

    Args:
        texts: the alternative texts, if they are to say more than label and number.
    """
    images, labels = cache.images_of(split)
    gallery(
        data.take(images, places),
        captions,
        texts or [f"A handwritten {labels[place]}, image {place}" for place in places],
        label=label,
        key=key,
        on_choose=lambda number: choose(split, int(places[number])),
    )


def close() -> None:
    st.query_params.pop(PARAMETER, None)


def show() -> None:
    """Open the dialog if the address names a digit, unless this rerun has opened it.

    The last line of every page with digits, and of every fragment of one: a click in a fragment
    does not rerun the rest of its page.
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
            digits.pixels(image, ENLARGED if presenter.is_on() else USUAL),
            key="pixels",
            config={"displayModeBar": False},
            alt=f"The image, a handwritten {label}, pixel by pixel",
        )
        st.caption("Point at a pixel to see its value: 0 is paper, 255 is ink.")
    with right:
        runs = {run.id: run for run in run_picker.trained_runs()}
        of_page = st.query_params.get("run")
        asked = run_picker.pick_runs(
            "What do these networks read?",
            list(runs.values()),
            [of_page] if of_page in runs else list(runs)[:1],
            "asked",
            most=MOST_NETWORKS,
        )
        for run in asked:
            show_answer(run, image, label)
        show_doubt(split, place)
        if trained := [
            run_picker.title(run)
            for run in asked
            if split == "test" and cache.has_learned_the_sample(run)
        ]:
            st.caption(
                f"Trained on this very image, so its answer is no test: {', '.join(trained)}."
            )
        if split == "train":
            st.caption(
                "The networks were trained on most of the training images, so their answers are no "
                "test."
            )
    show_neighbours(split, place)


def show_answer(run: Run, image: np.ndarray, label: int) -> None:
    with shell.show_errors():
        probabilities = cache.classifier(run).predict_proba(image[None])[0]
        answer = int(probabilities.argmax())
        verdict = "right" if answer == label else "not its label"
        # Not markdown: a visitor chose the name.
        st.text(f"{run_picker.title(run)} reads a {answer}: {verdict}.")
        st.html(html.probability_bars(probabilities))


def show_doubt(split: str, place: int) -> None:
    """What a network that was not trained on this image reads in it, if that is known."""
    found = cache.suspects() if split == "train" else None
    for suspect in found.ranked if found else ():
        if suspect.place == place:
            st.info(
                f"A network that was not trained on this image reads a {suspect.predicted} "
                f"({suspect.confidence:.1%}). Is its label wrong?",
                icon=":material/help:",
            )


def show_neighbours(split: str, place: int) -> None:
    places, distances = cache.neighbours(cache.dataset(), split, place, NEIGHBOURS)
    labels = cache.images_of("train")[1][places]
    st.markdown("**The nearest training images, pixel by pixel**")
    show_digits(
        "train",
        places,
        [str(label) for label in labels],
        "neighbours",
        texts=[
            f"Training image {near}, labelled {label}, at a distance of {distance:,.0f}"
            for near, label, distance in zip(places, labels, distances, strict=True)
        ],
        label="Nearest training images",
    )
    same = int((labels == cache.images_of(split)[1][place]).sum())
    st.caption(f"{same} of {len(places)} have the same label. Choose one to see it large.")
