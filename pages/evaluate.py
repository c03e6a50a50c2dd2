"""Evaluate: a run's confusion heatmap, the images behind each cell, and scores by digit."""

import streamlit as st

from mnist_core import charts, data, evaluation, markup
from mnist_core.runs import Run
from pages import shared

shared.guard("evaluate")

MOST_IMAGES = 60
DIGITS = list(range(data.CLASSES))


def cell_clicked() -> None:
    """The heatmap reports the marker over a cell; the two select boxes follow it."""
    points = st.session_state["heatmap"]["selection"]["points"]
    if points:
        st.session_state["true"], st.session_state["predicted"], _ = points[0]["customdata"]


@shared.fragment
def show_matrix(run: Run) -> None:
    counts = shared.confusion(run)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Which digit is taken for which", anchor=False)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            written = st.segmented_control(
                "Numbers", ["Images", "Share of the true digit"], default="Images", key="numbers"
            )
            mistakes = st.toggle("Mistakes only", key="mistakes")
        st.plotly_chart(
            charts.confusion_heatmap(
                counts,
                share=written == "Share of the true digit",
                mistakes_only=mistakes,
                dark=st.context.theme.type == "dark",
            ),
            key="heatmap",
            on_select=cell_clicked,
            selection_mode="points",
            config={"displayModeBar": False},
            alt="Confusion matrix: a row for each true digit, a column for each prediction",
        )
    with right:
        show_cell(run)


def show_cell(run: Run) -> None:
    """The images in the chosen cell; chosen by a click on the heatmap or by hand."""
    probabilities, labels = shared.predictions(run)
    worst = evaluation.worst_confusion(shared.confusion(run)) or (4, 9, 0)
    with st.container(horizontal=True):
        true = st.selectbox(
            "True digit", DIGITS, index=worst[0], key="true", bind="query-params", width=150
        )
        predicted = st.selectbox(
            "Predicted digit",
            DIGITS,
            index=worst[1],
            key="predicted",
            bind="query-params",
            width=150,
        )
    places = evaluation.cell_images(labels, probabilities, true, predicted)
    images = "1 image" if len(places) == 1 else f"{len(places):,} images"
    st.subheader(f"True {true}, predicted {predicted}: {images}", anchor=False)
    if not len(places):
        st.write("No test image ends up here. Choose another cell of the heatmap.")
        return
    dataset = shared.dataset()
    if dataset.test_fingerprint != run.test_fingerprint:
        st.info(
            f"These predictions are for other test images ({run.dataset}) than the ones at "
            "hand, so the pictures cannot be shown. The numbers hold.",
            icon=":material/image_not_supported:",
        )
        return
    if len(places) > MOST_IMAGES:
        st.caption(f"The {MOST_IMAGES} that the network is surest of.")
    shown = places[:MOST_IMAGES]
    sure = probabilities[shown, predicted]
    st.html(
        markup.digit_grid(
            dataset.x_test[shown],
            [f"{share:.0%}" for share in sure],
            [
                f"Test image {place}: a {true}, read as {predicted} with probability {share:.0%}"
                for place, share in zip(shown, sure, strict=True)
            ],
        )
    )
    st.caption("Below each picture: how sure the network was of its answer.")


st.title("Where is it wrong?")
shared.data_notice()
shared.check_address(
    true=lambda text: shared.is_number(text, data.CLASSES - 1),
    predicted=lambda text: shared.is_number(text, data.CLASSES - 1),
)
run = shared.pick_run()
st.caption(f"Trained on, and tested once with, {run.dataset}.")
counts = shared.confusion(run)
total = int(counts.sum())
right = int(counts.trace())
low, high = evaluation.wilson_interval(right, total)

accuracy, wrong, interval = st.columns([1, 1, 1.3])
accuracy.metric("Test accuracy", f"{right / total:.2%}", border=True)
wrong.metric("Read wrongly", f"{total - right:,} of {total:,}", border=True)
interval.metric(
    "95 % interval",
    f"{low:.2%} – {high:.2%}",
    border=True,
    help="Where the accuracy over very many digits from the same hands lies, with 95 % "
    f"confidence (Wilson's interval): between {total * (1 - high):.0f} and "
    f"{total * (1 - low):.0f} of {total:,} wrong.",
)

show_matrix(run)

st.subheader("Digit by digit", anchor=False)
scores = evaluation.digit_scores(counts)
st.html(
    markup.table(
        ["Digit", "Precision", "Recall", "F1", "Images", "Most often taken for"],
        [
            [
                str(digit),
                f"{scores.precision[digit]:.2%}",
                f"{scores.recall[digit]:.2%}",
                f"{scores.f1[digit]:.2%}",
                f"{scores.support[digit]:,}",
                evaluation.commonest_mistake(counts, digit),
            ]
            for digit in DIGITS
        ],
    )
)
with st.expander("What do these mean?"):
    st.markdown(
        "**Precision**: of the images the network called a 4, how many are one. "
        "**Recall**: of the images of a 4, how many it called so. "
        "**F1**: the two in one number, their harmonic mean."
    )

shared.next_step("draw", "Now let it read your own handwriting", ":material/draw:")
