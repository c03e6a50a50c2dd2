"""Explore: random digits from the data, chosen by split and digit."""

import random

import streamlit as st

from mnist_core import data, markup
from pages import shared

shared.guard("explore")

LARGEST_SEED = 9999
SPLITS = ["Training", "Test"]
COUNTS = [25, 50, 100, 200]


def new_sample() -> None:
    st.session_state["explore_seed"] = random.randint(0, LARGEST_SEED)


st.title("Explore the digits")
shared.data_notice()
shared.check_address(
    split=lambda text: text in SPLITS,
    count=lambda text: text in map(str, COUNTS),
    seed=lambda text: shared.is_number(text, LARGEST_SEED),
    digits=lambda text: shared.is_number(text, data.CLASSES - 1),
)
dataset = shared.dataset()
# By hand, not by binding: a bound number stumbles over seed=1e400 before it can be checked.
st.session_state.setdefault("explore_seed", int(st.query_params.get("seed", "0")))

with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    split = st.segmented_control(
        "Images", SPLITS, default="Training", key="split", bind="query-params"
    )
    count = st.selectbox("How many", COUNTS, index=1, key="count", bind="query-params", width=140)
    seed = st.number_input(
        "Seed",
        0,
        LARGEST_SEED,
        key="explore_seed",
        width=170,
        help="The same seed shows the same digits to everyone: share the address.",
    )
    st.button("New sample", icon=":material/casino:", on_click=new_sample)

if st.query_params.get("seed") != str(seed):
    st.query_params["seed"] = str(seed)

digits = st.pills(
    "Digits",
    list(range(data.CLASSES)),
    selection_mode="multi",
    default=[],
    key="digits",
    bind="query-params",
    help="None chosen shows all ten.",
)

images, labels = (
    (dataset.x_test, dataset.y_test) if split == "Test" else (dataset.x_train, dataset.y_train)
)
places = data.sample_indices(labels, digits or list(range(data.CLASSES)), count, seed)
st.caption(
    f"{len(places)} of {len(labels):,} {'test' if split == 'Test' else 'training'} images, chosen "
    "at random. Each is 28 by 28 pixels, from 0 for paper to 255 for ink."
)
st.html(
    markup.digit_grid(
        images[places],
        [str(labels[place]) for place in places],
        [f"A handwritten {labels[place]}, image {place}" for place in places],
    )
)

shared.next_step("train", "Train a network on these", ":material/model_training:")
