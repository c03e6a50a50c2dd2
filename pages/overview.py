"""Overview: what this is, the four steps with live facts, and one next step."""

import numpy as np
import streamlit as st

from mnist_core import data
from mnist_core.analysis import metrics
from mnist_core.plots import html, style
from mnist_core.store import ranking
from pages.components import notices, run_picker
from pages.shared import cache, presenter, shell

shell.guard("overview")

st.title("Watch a network learn to read handwriting")
st.markdown(
    "MNIST is a collection of 70,000 handwritten digits. Here you can look at them, train a small "
    "neural network on them, see where it goes wrong, and let it read a digit you draw."
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
best = ranking.best(runs)
# The network to look at more closely is one whose test images are here.
shown = cache.pictured_first([best, *runs])[0] if best else None
worst = metrics.worst_confusion(cache.predictions(shown).matrix) if shown else None

with st.container(key="cards"):
    explore, train, evaluate, draw = (
        column.container(border=True, height="stretch") for column in st.columns(4)
    )
with explore:
    st.subheader("1 · Explore", anchor=False)
    st.metric("Digits here", f"{len(dataset.x_train) + len(dataset.x_test):,}")
    notices.link("explore", "See 100 digits", count="100")
with train:
    st.subheader("2 · Train", anchor=False)
    if best:
        st.metric(f"Best network: {best.config.preset}", f"{best.test_accuracy:.2%}")
        chosen_by = f" ({best.validation_accuracy:.2%})" if best.validation_accuracy else ""
        st.caption(f"Test accuracy. Best by validation accuracy{chosen_by}.")
    else:
        st.metric("Best network", "none yet")
    notices.link("train", "Train a network")
    notices.link("compare", "Compare all runs")
    notices.link("classroom", "The class, live")
with evaluate:
    st.subheader("3 · Evaluate", anchor=False)
    query = {}
    if shown and worst:
        true, predicted, count = worst
        times = style.counted(count, "time")
        st.metric(f"Most common mistake ({times})", f"{true} read as {predicted}")
        st.caption(f"by the network {run_picker.title(shown)}")
        query = {"run": shown.id, "true": str(true), "predicted": str(predicted)}
    else:
        st.metric("Most common mistake", "none")
    notices.link("evaluate", "See these digits", **query)
with draw:
    st.subheader("4 · Draw", anchor=False)
    st.metric("Draw a digit yourself", "Any size")
    notices.link("draw", "Draw a digit")

if not presenter.is_on():
    notices.link(
        "overview", "Presenter mode, for a projector", **{presenter.PARAMETER: presenter.ON}
    )
notices.next_step("draw", "Draw a digit and see what the network reads")
