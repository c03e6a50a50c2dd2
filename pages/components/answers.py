"""What a network reads in one digit or several, in numbers and in words."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from mnist_core.analysis.calibration import NO_DIGIT, SURE, best_two
from mnist_core.plots import html
from mnist_core.plots.style import NONE
from mnist_core.store.run import Run
from pages.shared import cache


@dataclass(frozen=True)
class Answer:
    """What one run's network reads in some images.

    Attributes:
        probabilities: float32 (n, 10).
        verdicts: of each image, as ``Calibration.verdict`` gives it.
    """

    run: Run
    probabilities: np.ndarray
    verdicts: list[str]


def answer(run: Run, images: np.ndarray) -> Answer:
    probabilities = cache.classifier(run).predict_proba(images)
    calibration = cache.calibration(run)
    return Answer(run, probabilities, [calibration.verdict(row) for row in probabilities])


def in_words(probabilities: np.ndarray, verdict: str) -> str:
    """How sure the network is."""
    first, second = best_two(probabilities)
    if verdict == NO_DIGIT:
        return "no digit"
    if verdict == SURE:
        # Never 100%: the confidence was calibrated on a few thousand images.
        sure = probabilities[first]
        return "over 99% sure" if sure > 0.99 else f"{sure:.0%} sure"
    return f"not sure: {first} or {second}?"


def digit(probabilities: np.ndarray, verdict: str) -> str:
    return NONE if verdict == NO_DIGIT else str(int(probabilities.argmax()))


def show_answer(found: Answer, images: np.ndarray) -> None:
    """The digits read in these images, and how sure the network is of each."""
    rows = list(zip(found.probabilities, found.verdicts, strict=True))
    digits = [digit(*row) for row in rows]
    if len(rows) > 1:
        st.metric("Prediction", "".join(digits))
        words = [f"{one}: {in_words(*row)}" for one, row in zip(digits, rows, strict=True)]
        st.html(html.digit_grid(images, words, [f"A figure read as {word}" for word in words]))
        return
    probabilities, verdict = rows[0]
    st.metric(
        "Prediction",
        digits[0],
        in_words(probabilities, verdict),
        delta_color="normal" if verdict == SURE else "off",
        delta_arrow="off",
    )
    if verdict == NO_DIGIT:
        likeliest, _ = best_two(probabilities)
        st.write(f"This does not look like a digit. If it is one, it is most likely a {likeliest}.")
    st.html(html.probability_bars(probabilities))
