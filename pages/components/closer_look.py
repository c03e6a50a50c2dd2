"""Why a network answers as it does: the preparation, the pixels, the layers, similar digits."""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from mnist_core import drawing
from mnist_core.analysis import explanation
from mnist_core.drawing import benchmark
from mnist_core.plots import html
from mnist_core.store.run import Run
from pages.components import run_picker
from pages.components.answers import Answer
from pages.components.canvas import Subject
from pages.components.choices import choose
from pages.shared import cache, presenter

EVERY_STEP = list(drawing.STEPS)
# The pictures of the steps have at most this many pixels a side.
STRIP_SIDE = 112
NEAREST = 5


def left_out() -> list[str]:
    """The preparation steps that the visitor switched off."""
    taken = st.session_state.get("steps", EVERY_STEP)
    return [step for step in EVERY_STEP if step not in taken]


def choose_steps() -> None:
    with presenter.hidden_when_presenting("steps"):
        st.pills(
            "Preparation steps; tap one to leave it out and see what it is worth",
            EVERY_STEP,
            format_func=drawing.STEPS.__getitem__,
            selection_mode="multi",
            default=EVERY_STEP,
            key="steps",
            persist_state="session",
        )


def show_preparation(subject: Subject, place: int, run: Run) -> None:
    """The picture after each preparation step; each step can be left out."""
    choose_steps()
    if subject.prepared:
        st.write("MNIST's own images were prepared like this when the data set was made.")
        return
    stages = drawing.prepare(subject.pictures[place], left_out())
    pictures = [subject.pictures[place], *(stage.picture for stage in stages)]
    captions = ["Original"]
    for number, stage in enumerate(stages, start=1):
        text = drawing.STEPS[stage.step]
        captions.append(f"{number}. Left out: {text}" if stage.skipped else f"{number}. {text}")
    small = [drawing.shrink(picture, STRIP_SIDE) for picture in pictures]
    st.html(html.strip(small, captions, captions))
    show_worth(run, left_out())


def show_worth(run: Run, skip: list[str]) -> None:
    """How well thousands of drawings are read with this choice of steps, measured beforehand."""
    name = run.id if run.shipped else run.config.preset
    every, these = (benchmark.drawings_read(name, steps) for steps in ((), skip))
    plain = benchmark.drawings_read(name, [step for step in EVERY_STEP if step != drawing.INK])
    if every is None or these is None or plain is None:
        return
    network = "this network" if run.shipped else f"the built-in {name} network"
    first = f"**{every:.1%}** with all steps, and {plain:.1%} when the sheet is only shrunk."
    if skip:
        first = f"**{these:.1%}** when prepared like this, and {every:.1%} with all steps."
    total = benchmark.drawing_benchmark()["drawings"]
    st.write(
        f"Of {total:,} digits that other people drew with a pen, {network} classifies correctly "
        + first
    )


def show_layers(image: np.ndarray, found: Answer) -> None:
    outputs = cache.classifier(found.run).activations(image[np.newaxis])
    st.write("From the pixels to the answer: the brighter a map or unit, the stronger it responds.")
    for title, index in explanation.layers_of(found.run.config).items():
        shown = outputs[index][0]
        make = html.feature_maps if shown.ndim == 3 else html.units
        st.html(make(shown, title, f"{title}, brighter where they respond more"))


def show_pixels(image: np.ndarray, found: Answer, place: int) -> None:
    """Which parts of the picture the answer depends on."""
    digit = int(found.probabilities[place].argmax())
    predict = cache.classifier(found.run).predict_proba
    weights = explanation.occlusion(predict, image, digit)
    st.write(
        f"Evidence for a {digit}: each part of the picture is erased in turn, and the network "
        "reads it again."
    )
    st.html(
        html.heat(image, weights, f"The digit, coloured where its ink is evidence for a {digit}")
    )


def show_nearest(image: np.ndarray, found: Answer) -> None:
    """The training digits that look most similar to the network."""
    images, labels, features = cache.known_digits(found.run)
    query = explanation.hidden(cache.classifier(found.run).activations, image[np.newaxis])[0]
    places, distances = explanation.nearest(features, query, NEAREST)
    st.write(
        f"The {NEAREST} nearest of {len(labels):,} training digits in the network's last hidden "
        "layer. Distance 0 means the same, 1 nothing in common."
    )
    captions = [f"{labels[p]} · {d:.2f}" for p, d in zip(places, distances, strict=True)]
    texts = [f"A training digit labelled {labels[place]}" for place in places]
    st.html(html.digit_grid(images[places], captions, texts))


def closer_look(
    subject: Subject, answers: Sequence[Answer], images: np.ndarray, place: int
) -> None:
    """One of four views of why the networks answer as they do.

    Args:
        images: uint8 (n, 28, 28), what the networks were given.
        place: which of them to look at.
    """
    image = images[place]
    views: dict[str, Callable[[Answer], None]] = {
        "Preparation": lambda found: show_preparation(subject, place, found.run),
        "Important pixels": lambda found: show_pixels(image, found, place),
        "Nearest digits": lambda found: show_nearest(image, found),
        "Layers": lambda found: show_layers(image, found),
    }
    st.subheader("Why this answer?", anchor=False)
    view = choose("Look at", list(views), "look", bind="query-params")
    # The preparation is the same for all networks.
    shown = answers[:1] if view == "Preparation" else answers
    for column, found in zip(st.columns(len(shown), gap="large"), shown, strict=True):
        with column:
            if len(shown) > 1:
                st.caption(run_picker.title(found.run))
            views[view](found)
