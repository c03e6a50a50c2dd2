"""Evaluate: how good a run's network is, where it is wrong, and how far to trust it."""

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from mnist_core import data
from mnist_core.analysis import comparison, metrics
from mnist_core.plots import heatmaps, html, report, style
from mnist_core.store.run import Run
from pages.components import detail, notices, run_picker
from pages.components.chart import chart
from pages.components.choices import choose
from pages.components.tested_images import show_images
from pages.components.trust import show_confidence
from pages.shared import cache, figures, presenter, shell

shell.guard("evaluate")

DIGITS = list(range(data.CLASSES))
MATRIX, BY_DIGIT, SURE, CONFIDENCE, COMPARE = VIEWS = [
    "Confusion",
    "Digit by digit",
    "Most confident mistakes",
    "Confidence",
    "Compare two",
]
# What a cell of the heatmap says, as heatmaps.confusion_heatmap calls it.
NUMBERS = {
    "Images": "count",
    "% of row (true digit)": "true",
    "% of column (predicted digit)": "predicted",
}
SURE_WRONG, UNSURE_RIGHT = "Wrong, most confident first", "Right, least confident first"
ORDERS: dict[str, Callable[[metrics.DigitRow], float]] = {
    "Digit": lambda row: row.digit,
    "Lowest F1": lambda row: row.f1,
    "Lowest precision": lambda row: row.precision,
    "Lowest recall": lambda row: row.recall,
    "Most mistakes": lambda row: -row.wrong,
}


# --- the confusion matrix ---


def cell_clicked(key: str) -> None:
    """The heatmap reports the marker over a cell; the two select boxes follow it."""
    # It comes from a stranger's browser.
    match st.session_state[key]["selection"]["points"]:
        case [{"customdata": [int(true), int(predicted), _]}] if {true, predicted} <= {*DIGITS}:
            st.session_state["true"], st.session_state["predicted"] = true, predicted


@shell.fragment
def show_matrix(run: Run) -> None:
    counts = cache.predictions(run).matrix
    left, right = st.columns([3, 2], gap="large")
    with left:
        with presenter.hidden_when_presenting(
            "numbers", horizontal=True, vertical_alignment="bottom"
        ):
            written = choose("Numbers", list(NUMBERS), "numbers", bind="query-params")
            mistakes = st.toggle("Mistakes only", key="mistakes", bind="query-params")
        chart(
            "heatmap",
            (*cache.state_of(run), written, mistakes),
            lambda: heatmaps.confusion_heatmap(counts, NUMBERS[written], mistakes, figures.dark()),
            "Confusion matrix: a row for each true digit, a column for each prediction",
            on_select=lambda: cell_clicked("heatmap"),
            selection_mode="points",
        )
    with right:
        show_cell(run)
    detail.show()


def choose_cell(run: Run) -> tuple[int, int]:
    """The cell chosen by a click on the heatmap or by hand: true and predicted digit."""
    worst = metrics.worst_confusion(cache.predictions(run).matrix) or (4, 9, 0)

    def box(label: str, start: int, key: str) -> int:
        digit: int = st.selectbox(
            label, DIGITS, index=start, key=key, bind="query-params", width=150
        )
        return digit

    with st.container(horizontal=True):
        return box("True digit", worst[0], "true"), box("Predicted digit", worst[1], "predicted")


def show_cell(run: Run) -> None:
    """The images in the chosen cell."""
    true, predicted = choose_cell(run)
    places = metrics.cell_images(cache.predictions(run), true, predicted)
    images = style.counted(len(places), "image")
    st.subheader(f"True {true}, predicted {predicted}: {images}", anchor=False)
    if len(places):
        show_images(run, "cell", places)
    else:
        st.write("No test images are in this cell. Choose another one.")


# --- digit by digit ---


def show_digits(run: Run) -> None:
    counts = cache.predictions(run).matrix
    order = st.selectbox("Sort by", list(ORDERS), key="order", bind="query-params", width=260)
    rows = sorted(metrics.digit_rows(counts), key=ORDERS[order])
    st.html(
        html.table(
            ["Digit", "Precision", "Recall", "F1", "Images", "Wrong", "Most often confused with"],
            [
                [
                    str(row.digit),
                    *(f"{share:.2%}" for share in (row.precision, row.recall, row.f1)),
                    f"{row.images:,}",
                    f"{row.wrong:,}",
                    metrics.commonest_mistake(counts, row.digit),
                ]
                for row in rows
            ],
        )
    )
    with st.expander("What do these mean?"):
        st.markdown(
            "**Precision**: of the images classified as a 4, the share that are a 4. "
            "**Recall**: of the images of a 4, the share classified as a 4. "
            "**F1**: the harmonic mean of the two."
        )


# --- the most and the least confident answers ---


@shell.fragment
def show_sure(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        which = choose(
            "Which",
            [SURE_WRONG, UNSURE_RIGHT],
            "which",
            bind="query-params",
            label_visibility="visible",
        )
        lowest, highest = st.slider("Confidence, in %", 0, 100, (0, 100), key="between", width=360)
    pick = (
        metrics.most_confident_mistakes if which == SURE_WRONG else metrics.least_confident_correct
    )
    places = pick(cache.predictions(run), between=(lowest / 100, highest / 100))
    st.subheader(f"{which}: {style.counted(len(places), 'image')}", anchor=False)
    if len(places):
        show_images(run, "sure", places)
    else:
        st.write("No images in this range.")
    detail.show()


# --- two networks ---


@shell.fragment
def show_comparison(run: Run) -> None:
    runs = [other for other in run_picker.trained_runs() if other.test_fingerprint]
    rival = run_picker.pick_other_run("Compare with", run, runs)
    if rival is None:
        st.write("Choose a second network to see which images only one of them gets right.")
        return
    if rival.test_fingerprint != run.test_fingerprint:
        st.info(
            f"The two were tested on different images ({run.dataset}; {rival.dataset}), so they "
            "cannot be compared image by image. Choose another one.",
            icon=":material/compare_arrows:",
        )
        return
    if not run_picker.is_readable(rival):
        return
    first, second = cache.predictions(run), cache.predictions(rival)
    found = comparison.compare(first, second)
    st.markdown(f"The first is **{run.title}**, the second **{rival.title}**.")
    verdict = comparison.verdict(len(found.only_first), len(found.only_second))
    st.info(verdict, icon=":material/balance:")
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("More images in the first (+) or in the second (−)", anchor=False)
        chart(
            "difference",
            (*cache.state_of(run), *cache.state_of(rival)),
            lambda: heatmaps.difference_heatmap(first.matrix, second.matrix, figures.dark()),
            "Difference of the two confusion matrices: a row for each true digit",
            on_select=lambda: cell_clicked("difference"),
            selection_mode="points",
        )
    with right:
        true, predicted = choose_cell(run)
        here, there = (
            style.counted(each.matrix[true, predicted], "image") for each in (first, second)
        )
        st.subheader(f"True {true}, predicted {predicted}", anchor=False)
        st.write(f"The first has {here} there, the second {there}.")
    for title, key, places in (
        ("Only the first is right", "only_first", found.only_first),
        ("Only the second is right", "only_second", found.only_second),
        ("Both are wrong", "neither", found.neither),
    ):
        st.subheader(f"{title}: {style.counted(len(places), 'image')}", anchor=False)
        if len(places):
            show_images(run, key, places, rival)
    detail.show()


# --- the page ---


def show_downloads(run: Run) -> None:
    predictions = cache.predictions(run)
    counts = predictions.matrix
    day = datetime.fromtimestamp(run.created_at, UTC).date().isoformat()

    def page() -> str:
        pictures = None if run_picker.mismatch(run) else cache.images_of("test")[0]
        return report.html_report(
            run.title, tested_on(run, len(predictions.labels)), day, predictions, pictures
        )

    name = f"mnist-{run.id}"
    with st.expander("Download results", icon=":material/download:"), st.container(horizontal=True):
        notices.download("Report (HTML)", page, f"{name}.html")
        notices.download(
            "Predictions (CSV)",
            lambda: report.predictions_csv(predictions),
            f"{name}-predictions.csv",
        )
        notices.download("Matrix (CSV)", lambda: report.matrix_csv(counts), f"{name}-matrix.csv")
        notices.download(
            "Matrix (picture)", lambda: report.matrix_png(counts, run.title), f"{name}-matrix.png"
        )


def show_headline(run: Run) -> None:
    counts = cache.predictions(run).matrix
    total, right = int(counts.sum()), int(counts.trace())
    low, high = metrics.wilson_interval(right, total)
    fewest, most = metrics.prediction_interval(total - right, total)
    # Next to each other as far as they fit, so that a phone shows all three.
    with st.container(horizontal=True, key="headline"):
        for label, value in (
            ("Test accuracy", f"{right / total:.2%}"),
            ("Misclassified", f"{total - right:,} of {total:,}"),
            ("95% confidence interval", f"{low:.2%} – {high:.2%}"),
        ):
            st.metric(label, value, border=True, width="content")
    run_picker.warn_of_guessing(run, right / total, total, "test")
    st.caption(
        f"{tested_on(run, total)}. The confidence interval (Wilson) is for the accuracy on all "
        f"such images. Of {total:,} other such images the network would misclassify {fewest:,} to "
        f"{most:,} (95% prediction interval)."
    )


def tested_on(run: Run, total: int) -> str:
    """What a run was trained and tested on, in words."""
    tested = f"ested once on {style.counted(total, 'test image')} that it was not trained on"
    return f"Trained on {run.trained_on}, and t{tested}" if run.trained_on else f"T{tested}"


st.title("Where does the network go wrong?")
notices.data_notice()
shell.check_address(
    true=lambda text: shell.is_number(text, data.CLASSES - 1),
    predicted=lambda text: shell.is_number(text, data.CLASSES - 1),
    view=VIEWS.__contains__,
    numbers=NUMBERS.__contains__,
    order=ORDERS.__contains__,
    which=[SURE_WRONG, UNSURE_RIGHT].__contains__,
    image=detail.is_name,
)
with presenter.hidden_when_presenting("run"):
    run = run_picker.pick_run(runs=cache.pictured_first(run_picker.trained_runs()))
if run_picker.is_readable(run):
    show_headline(run)
    shows: dict[str, Callable[..., None]] = {
        MATRIX: show_matrix,
        BY_DIGIT: show_digits,
        SURE: show_sure,
        CONFIDENCE: show_confidence,
        COMPARE: show_comparison,
    }
    shows[choose("View", VIEWS, "view", bind="query-params")](run)
    with presenter.hidden_when_presenting("downloads"):
        show_downloads(run)
    detail.show()

notices.next_step("draw", "Now let it read your own handwriting")
