"""Overview: what this is, the four steps with live facts, and one next step."""

import numpy as np
import streamlit as st

from mnist_core import data
from mnist_core.analysis import metrics
from mnist_core.plots import html, style
from pages.components import notices, run_picker
from pages.shared import cache, presenter, shell

shell.guard("overview")

st.title("Watch a network learn to read handwriting")
st.markdown(
    "MNIST is 70,000 digits that people wrote by hand. Here you see them, train a small "
    "neural network on them, find out where it is wrong, and let it read a digit you draw."
)
notices.data_notice()

dataset = cache.dataset()
first_of_each = [int(np.flatnonzero(dataset.y_train == digit)[0]) for digit in range(data.CLASSES)]
st.html(
    html.digit_grid(
        dataset.x_train[first_of_each],
        [""] * data.CLASSES,
        [f"A handwritten {digit}" for digit in range(data.CLASSES)],
    )
)
runs = run_picker.trained_runs()
# A run that was tested on the easier or smaller test images of the sample is no rival.
official = [run for run in runs if run.test_fingerprint == runs[0].test_fingerprint]
# By validation accuracy: a test accuracy that was chosen by would say too much.
best = max(official, key=lambda run: run.validation_accuracy or 0.0, default=None)
# The network to look at more closely is one whose test images are here.
shown = cache.pictured_first([best, *runs])[0] if best else None
worst = metrics.worst_confusion(cache.predictions(shown).matrix) if shown else None

explore, train, evaluate, draw = st.columns(4)

with explore.container(border=True, height="stretch"):
    st.subheader("1 · Explore", anchor=False)
    st.metric("Digits here", f"{len(dataset.x_train) + len(dataset.x_test):,}")
    st.page_link(
        "pages/explore.py",
        label="See 100 digits",
        icon=":material/grid_view:",
        query_params={"count": "100"},
    )

with train.container(border=True, height="stretch"):
    st.subheader("2 · Train", anchor=False)
    if best:
        st.metric(f"Best network: {best.config.preset}", f"{best.test_accuracy:.2%}")
        chosen_by = f", {best.validation_accuracy:.2%}" if best.validation_accuracy else ""
        st.caption(f"Test accuracy. Best by validation accuracy{chosen_by}.")
    else:
        st.metric("Best network", "none yet")
    st.page_link("pages/train.py", label="Train a network", icon=":material/model_training:")
    st.page_link("pages/compare.py", label="Compare all of them", icon=":material/compare_arrows:")

with evaluate.container(border=True, height="stretch"):
    st.subheader("3 · Evaluate", anchor=False)
    if shown and worst:
        true, predicted, count = worst
        st.metric(
            f"Most common mistake ({style.counted(count, 'time')})", f"{true} read as {predicted}"
        )
        st.caption(f"by the network {shown.label}")
        query = {"run": shown.id, "true": str(true), "predicted": str(predicted)}
    else:
        st.metric("Most common mistake", "none")
        query = {}
    st.page_link(
        "pages/evaluate.py",
        label="See those digits",
        icon=":material/grid_on:",
        query_params=query or None,
    )

with draw.container(border=True, height="stretch"):
    st.subheader("4 · Draw", anchor=False)
    st.metric("Draw a digit yourself", "Any size")
    st.page_link("pages/draw.py", label="Draw a digit", icon=":material/draw:")

if not presenter.is_on():
    st.page_link(
        "pages/overview.py",
        label="For a class, on a projector: presenter mode",
        icon=":material/co_present:",
        query_params={presenter.PARAMETER: presenter.ON},
    )
notices.next_step("draw", "Draw a digit and see what the network reads", ":material/draw:")
