"""How far to trust a network's confidence: calibration, and accuracy if it may abstain."""

import streamlit as st

from mnist_core.analysis import confidence, metrics
from mnist_core.plots import reliability
from mnist_core.store.run import Run
from pages.components.chart import chart
from pages.shared import cache, figures, presenter, shell


@shell.fragment
def show_confidence(run: Run) -> None:
    found = cache.predictions(run)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Does its confidence match its accuracy?", anchor=False)
        error = metrics.expected_calibration_error(found)
        chart(
            "reliability",
            cache.state_of(run),
            lambda: reliability.reliability_chart(confidence.reliability(found), figures.dark()),
            "The network's accuracy over its confidence, with 95% intervals",
            height="stretch",
        )
        st.caption(
            f"Expected calibration error {error:.2%}: the average difference between the two "
            "(15 bins). Above the line the network is underconfident, below it overconfident. "
            "Whiskers are 95% confidence intervals; long ones mean few images."
        )
    with right:
        st.subheader("What if it may abstain?", anchor=False)
        with presenter.hidden_when_presenting("threshold"):
            percent = st.slider(
                "Minimum confidence to answer",
                10.0,
                100.0,
                90.0,
                0.5,
                format="%.1f%%",
                key="threshold",
            )
        point = confidence.coverage(found, percent / 100)
        chart(
            "coverage",
            (*cache.state_of(run), percent),
            lambda: reliability.coverage_chart(
                confidence.coverage_curve(found), point, figures.dark()
            ),
            "Accuracy of the answers given, over the share of images that are answered",
            height="stretch",
        )
        if point.accuracy is None:
            st.markdown("**The network is never this confident, so it answers nothing.**")
        else:
            abstained = len(found.labels) - point.answered
            st.markdown(
                f"**It answers {point.share:.2%} of the images and abstains on {abstained:,}; "
                f"{point.accuracy:.2%} of its answers are right, {point.wrong:,} wrong.**"
            )
