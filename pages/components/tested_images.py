"""Test images with what one network, or two, read in them."""

import numpy as np
import streamlit as st

from mnist_core.analysis import metrics
from mnist_core.store.run import Run
from pages.components import detail, run_picker
from pages.shared import cache

MOST_IMAGES = 60


def show_images(run: Run, key: str, places: np.ndarray, rival: Run | None = None) -> None:
    """Test images with a network's answers, or with those of two networks."""
    if sentence := run_picker.mismatch(run):
        st.info(sentence, icon=":material/image_not_supported:")
        return
    if len(places) > MOST_IMAGES:
        st.caption(f"The first {MOST_IMAGES} of {len(places):,}.")
    shown = places[:MOST_IMAGES]
    labels = cache.predictions(run).labels[shown]
    answers = answers_at(run, shown)
    captions = [
        f"{label} → {answer}\n{sure}" for label, (answer, sure) in zip(labels, answers, strict=True)
    ]
    texts = [
        f"Test image {place}: a {label}, read as {answer} with probability {sure}"
        for place, label, (answer, sure) in zip(shown, labels, answers, strict=True)
    ]
    below = "its label, what the network reads"
    if rival:
        others = answers_at(rival, shown)
        captions = [
            f"{label}\n{one} · {sure}\n{other} · {other_sure}"
            for label, (one, sure), (other, other_sure) in zip(labels, answers, others, strict=True)
        ]
        texts = [
            f"{text} by the first, as {other} with probability {sure} by the second"
            for text, (other, sure) in zip(texts, others, strict=True)
        ]
        below = "its label, then a line each for what the first and the second network read"
    detail.show_digits("test", shown, captions, key, texts=texts, label="Test images")
    st.caption(f"Below each: {below}, with its probability. Choose one to see it large.")


def answers_at(run: Run, places: np.ndarray) -> list[tuple[int, str]]:
    """A network's answer for each of these images, and its probability in words."""
    found = cache.predictions(run)
    return [
        (int(found.answers[place]), metrics.percent(found.confidences[place])) for place in places
    ]
