"""The settings that a sweep tries, as widgets."""

import dataclasses
from typing import Any

import streamlit as st

from mnist_core import sweeps
from mnist_core.config import PRESETS, TrainConfig, to_text, words
from mnist_core.errors import InvalidConfig
from pages.components.choices import choose

# Six runs of a few seconds each.
FIRST_TRIED = ("learning_rate", "batch_size")
FIRST_VALUES: dict[str, tuple[Any, ...]] = {
    "learning_rate": (0.002, 0.006, 0.02),
    "batch_size": (64, 256),
}
FIRST_EPOCHS, MOST_EPOCHS = 2, 8
METHODS = {sweeps.GRID: "All", sweeps.RANDOM: "Random subset"}


def choose_settings() -> list[TrainConfig]:
    """What to try, as widgets; empty, with a sentence on the page, if that is invalid."""
    preset = choose(
        "Network", list(PRESETS), "sweep_preset", default="classic", label_visibility="visible"
    )
    tried = st.multiselect(
        "Settings to try",
        list(sweeps.SUGGESTED),
        default=list(FIRST_TRIED),
        max_selections=sweeps.MOST_SETTINGS,
        format_func=words,
        key="sweep_settings",
    )
    choices = {name: choose_values(name) for name in tried}
    base = PRESETS[preset]
    if "epochs" not in choices:
        epochs = st.slider("Epochs of each run", 1, MOST_EPOCHS, FIRST_EPOCHS, key="sweep_epochs")
        base = dataclasses.replace(base, epochs=epochs)
    method = choose(
        "Combinations",
        list(METHODS),
        "sweep_method",
        format_func=METHODS.__getitem__,
        label_visibility="visible",
        help=f"At most {sweeps.MOST_RUNS} runs. If there are more combinations, try a random "
        "subset.",
    )
    count, seed = 6, 0
    if method == sweeps.RANDOM:
        with st.container(horizontal=True):
            count = st.number_input("Runs", 2, sweeps.MOST_RUNS, 6, key="sweep_count", width=120)
            seed = st.number_input("Seed", 0, 9999, 0, key="sweep_seed", width=120)
    try:
        return sweeps.settings(sweeps.Sweep(base, choices, method, count, seed))
    except InvalidConfig as error:
        st.error(str(error), icon=":material/error:")
        return []


def choose_values(name: str) -> tuple[Any, ...]:
    values = {to_text(name, value): value for value in sweeps.SUGGESTED[name]}
    start = FIRST_VALUES.get(name, sweeps.SUGGESTED[name][:2])
    picked = st.multiselect(
        words(name),
        list(values),
        default=[to_text(name, value) for value in start],
        key=f"sweep_{name}",
    )
    return tuple(values[text] for text in values if text in picked)
