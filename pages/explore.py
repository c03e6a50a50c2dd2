"""Explore: the digits themselves, as a random sample, summarised, on a map, and those whose labels
may be wrong. Any of them opens in the detail view."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mnist_core import data
from mnist_core.analysis import metrics
from mnist_core.plots import digits, html
from pages.components import detail, notices, run_picker
from pages.components.chart import chart
from pages.components.choices import choose
from pages.components.maps import METHODS, show_map
from pages.shared import cache, figures, presenter, shell

shell.guard("explore")

LARGEST_SEED = 9999
SPLITS = {"Training": "train", "Test": "test"}
COUNTS = [25, 50, 100, 200]
FEWEST_OF_MANY = 50
DIGITS = list(range(data.CLASSES))
MOST_SHOWN = 60
ROW: dict[str, Any] = {"horizontal": True, "vertical_alignment": "center", "gap": "small"}


# --- a sample ---


def new_sample() -> None:
    st.session_state["explore_seed"] = random.randint(0, LARGEST_SEED)


def choose_sample() -> tuple[list[int], int]:
    """Which digits, where none means all ten, and how many of them."""
    chosen = st.pills(
        "Digits; choose none to see all ten",
        DIGITS,
        selection_mode="multi",
        default=[],
        key="digits",
        bind="query-params",
        label_visibility="collapsed",
    )
    count = st.selectbox(
        "How many",
        COUNTS,
        index=1,
        key="count",
        bind="query-params",
        label_visibility="collapsed",
        width=90,
    )
    shell.button("New sample", "casino", new_sample)
    return chosen, count


def show_sample(split: str, row: DeltaGenerator) -> None:
    with row, presenter.hidden_when_presenting("choice", **ROW, width="content"):
        chosen, count = choose_sample()
    seed = st.session_state["explore_seed"]
    if st.query_params.get("seed") != str(seed):
        st.query_params["seed"] = str(seed)
    _, labels = cache.images_of(split)
    places = data.sample_indices(labels, chosen or DIGITS, count, seed)
    # Pictures arrive last, so look.css keeps room for many.
    with st.container(key="many_digits" if len(places) >= FEWEST_OF_MANY else "few_digits"):
        detail.show_digits(split, places, [str(label) for label in labels[places]], "sample")
    kind = "test" if split == "test" else "training"
    st.caption(
        f"{len(places)} of {len(labels):,} {kind} images, chosen at random. Choose one to see it "
        "large. Each is 28 by 28 pixels, from 0 for paper to 255 for ink."
    )
    choose_by_number(split)


def choose_by_number(split: str) -> None:
    """A sample by its seed, and an image by its number."""
    last = len(cache.images_of(split)[1]) - 1
    with presenter.hidden_when_presenting("number", horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Seed",
            0,
            LARGEST_SEED,
            key="explore_seed",
            width=140,
            help="The same seed shows the same digits to everyone: share the address.",
        )
        st.number_input(
            "Go to image number",
            0,
            last,
            key="number",
            width=200,
            help=f"Each image has a number from 0 to {last:,}.",
        )
        shell.button("Show it", "zoom_in", choose_number, split)


def choose_number(split: str) -> None:
    detail.choose(split, st.session_state["number"])


# --- a summary ---


def show_glance(split: str, row: DeltaGenerator) -> None:
    found = cache.glance_at(cache.dataset(), split)
    images = split, cache.fingerprint_of(split)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("How many of each", anchor=False)
        chart(
            "counts",
            images,
            lambda: digits.digit_counts(found.counts, figures.dark()),
            "How many images there are of each digit: "
            + ", ".join(f"{count} of {digit}" for digit, count in enumerate(found.counts)),
        )
    with right:
        st.subheader("How much ink", anchor=False)
        chart(
            "ink",
            images,
            lambda: digits.ink_boxes(found.ink, figures.dark()),
            "How much of each digit's pictures is ink: "
            + ", ".join(f"{ink[2]:.0%} of a {digit}" for digit, ink in enumerate(found.ink)),
        )
    for title, pictures, alt in (
        ("The mean of each digit", found.mean, "The mean of all images of a"),
        (
            "Where people write it differently",
            (2 * found.deviation).clip(0, 255),
            "The spread of each pixel over the images of a",
        ),
    ):
        st.subheader(title, anchor=False)
        st.html(
            html.digit_grid(
                np.rint(pictures).astype(np.uint8),
                [str(digit) for digit in DIGITS],
                [f"{alt} {digit}" for digit in DIGITS],
            )
        )
    st.caption(
        "The standard deviation of each pixel: black where all agree, white where half have ink "
        "and half have paper."
    )


# --- doubtful labels ---


def show_doubts(split: str, row: DeltaGenerator) -> None:
    if split == "test":
        show_test_doubts()
        return
    found = cache.suspects()
    if found is None:
        st.info(
            "Nobody has searched these digits for doubtful labels yet. On the server, run "
            "`python -m mnist_core suspects`.",
            icon=":material/search:",
        )
        return
    st.markdown(
        f"Five networks each read a fifth of the {found.images:,} training images after training "
        f"on the other four fifths. **{found.differing:,}** were read as another digit than "
        "their label says. These are the ones with the least probable labels. Who is right?"
    )
    shown = found.ranked[:MOST_SHOWN]
    detail.show_digits(
        split,
        np.array([suspect.place for suspect in shown], np.int64),
        [f"{suspect.label}, or {suspect.predicted}?" for suspect in shown],
        "suspects",
    )
    st.caption("Below each: its label, and what the network reads.")


def show_test_doubts() -> None:
    run = run_picker.pick_run(runs=cache.pictured_first(run_picker.trained_runs()))
    st.caption("Test images that this network misclassifies, the most confident mistakes first.")
    if not run_picker.is_readable(run):
        return
    if mismatch := run_picker.mismatch(run):
        st.info(mismatch, icon=":material/image_not_supported:")
        return
    found = cache.predictions(run)
    places = metrics.most_confident_mistakes(found)[:MOST_SHOWN]
    captions = [f"{found.labels[place]}, or {found.answers[place]}?" for place in places]
    detail.show_digits("test", places, captions, "mistakes")


# --- the page ---

# Each takes the images to show, and the row for its own choices.
VIEWS: dict[str, Callable[[str, DeltaGenerator], None]] = {
    "A sample": show_sample,
    "At a glance": show_glance,
    "A map": show_map,
    "Doubtful labels": show_doubts,
}


@shell.fragment
def explore() -> None:
    row = st.container(key="controls", **ROW)
    with row:
        view = choose("View", list(VIEWS), "show", bind="query-params")
        with presenter.hidden_when_presenting("split", width="content"):
            split = SPLITS[choose("Images", list(SPLITS), "split", bind="query-params")]
    # By hand, not by binding: a bound number fails on seed=1e400 before it can be checked.
    st.session_state.setdefault("explore_seed", int(st.query_params.get("seed", "0")))
    VIEWS[view](split, row)
    detail.show()


st.title("Explore the digits")
shell.check_address(
    split=SPLITS.__contains__,
    show=VIEWS.__contains__,
    count=[*map(str, COUNTS)].__contains__,
    seed=lambda text: shell.is_number(text, LARGEST_SEED),
    digits=lambda text: shell.is_number(text, data.CLASSES - 1),
    method=METHODS.__contains__,
    image=detail.is_name,
)
explore()
# Below the digits, which are to begin in the upper third of a screen.
notices.data_notice()

notices.next_step("train", "Train a network on these")
