"""Evaluate: how good a run's network is, where it is wrong, and how far to trust it."""

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mnist_core import data
from mnist_core.analysis import comparison, metrics
from mnist_core.plots import heatmaps, html, report, style
from mnist_core.store.run import Run
from pages.components import detail, notices, run_picker
from pages.components.choices import choose
from pages.components.heatmap import heatmap
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


def select_cell(true: int, predicted: int) -> None:
    """The two select boxes, and the address with them, follow the heatmap."""
    st.session_state["true"], st.session_state["predicted"] = true, predicted


@shell.fragment
def show_matrix(run: Run) -> None:
    counts = cache.predictions(run).matrix
    left, panel = columns()
    with panel:
        chosen = choose_cell(run)
    with left:
        place = st.container()
        with presenter.hidden_when_presenting(
            "numbers", horizontal=True, vertical_alignment="center"
        ):
            written = choose("Numbers", list(NUMBERS), "numbers", bind="query-params")
            mistakes = st.toggle("Mistakes only", key="mistakes", bind="query-params")
    with place:
        heatmap(
            "heatmap",
            (*cache.state_of(run), written, mistakes),
            lambda: heatmaps.confusion_heatmap(counts, NUMBERS[written], mistakes, figures.dark()),
            "Confusion matrix: a row for each true digit, a column for each prediction",
            chosen,
            select_cell,
        )
    with panel:
        show_cell(run, *chosen)
    detail.show()


def columns() -> tuple[DeltaGenerator, DeltaGenerator]:
    """A column for a heatmap, and a panel next to it for what the chosen cell holds. The panel
    scrolls, so that the page stays where it is whichever cell is chosen."""
    left, right = st.columns(2, gap="large")
    return left, right.container(key="panel")


def choose_cell(run: Run) -> tuple[int, int]:
    """The cell chosen on the heatmap or by hand: true and predicted digit."""
    worst = metrics.worst_confusion(cache.predictions(run).matrix) or (4, 9, 0)

    def box(label: str, start: int, key: str) -> int:
        digit: int = st.selectbox(
            label, DIGITS, index=start, key=key, bind="query-params", width=150
        )
        return digit

    with st.container(horizontal=True):
        return box("True digit", worst[0], "true"), box("Predicted digit", worst[1], "predicted")


def show_cell(run: Run, true: int, predicted: int) -> None:
    """The images in the chosen cell."""
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
    with presenter.hidden_when_presenting("order"):
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
            name="Precision, recall and F1 of each digit",
        )
    )
    with presenter.hidden_when_presenting("meaning"), st.expander("What do these mean?"):
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
    with st.container(key="scroller_sure"):
        if len(places):
            show_images(run, "sure", places)
        else:
            st.write("No images in this range.")
    detail.show()


# --- two networks ---


@shell.fragment
def show_comparison(run: Run) -> None:
    left, panel = columns()
    with panel:
        rival = pick_rival(run)
    if rival is not None:
        show_difference(run, rival, left, panel)
    detail.show()


def pick_rival(run: Run) -> Run | None:
    """The second network, if one is chosen that can be compared with the first."""
    runs = [other for other in run_picker.trained_runs() if other.test_fingerprint]
    rival = run_picker.pick_other_run("Compare with", run, runs)
    if rival is None:
        st.write("Choose a second network to see which images only one of them gets right.")
        return None
    if rival.test_fingerprint != run.test_fingerprint:
        st.info(
            f"The two were tested on different images ({run.dataset}; {rival.dataset}), so they "
            "cannot be compared image by image. Choose another one.",
            icon=":material/compare_arrows:",
        )
        return None
    return rival if run_picker.is_readable(rival) else None


def show_difference(run: Run, rival: Run, left: DeltaGenerator, panel: DeltaGenerator) -> None:
    """The difference of the two confusion matrices, and next to it what the panel says of the
    chosen cell and of all images."""
    first, second = cache.predictions(run), cache.predictions(rival)
    with panel:
        true, predicted = choose_cell(run)
    with left:
        heatmap(
            "difference",
            (*cache.state_of(run), *cache.state_of(rival)),
            lambda: heatmaps.difference_heatmap(first.matrix, second.matrix, figures.dark()),
            "Difference of the two confusion matrices: a row for each true digit, a column for "
            "each prediction",
            (true, predicted),
            select_cell,
        )
        st.caption("+: more images in the first network's cell; −: more in the second's.")
    with panel:
        here, there = (
            style.counted(each.matrix[true, predicted], "image") for each in (first, second)
        )
        st.subheader(f"True {true}, predicted {predicted}", anchor=False)
        st.write(f"The first has {here} there, the second {there}.")
        # Not markdown: a visitor chose the names.
        titles = run_picker.titles([run, rival])
        st.text(f"First: {titles[run.id]}. Second: {titles[rival.id]}.")
        show_disagreements(run, rival)


def show_disagreements(run: Run, rival: Run) -> None:
    """Which network is better, and the images that only one of them, or none, gets right."""
    found = comparison.compare(cache.predictions(run), cache.predictions(rival))
    verdict = comparison.verdict(len(found.only_first), len(found.only_second))
    st.info(verdict, icon=":material/balance:")
    for title, key, places in (
        ("Only the first is right", "only_first", found.only_first),
        ("Only the second is right", "only_second", found.only_second),
        ("Both are wrong", "neither", found.neither),
    ):
        st.subheader(f"{title}: {style.counted(len(places), 'image')}", anchor=False)
        if len(places):
            show_images(run, key, places, rival)


# --- the page ---


def show_downloads(run: Run) -> None:
    predictions = cache.predictions(run)
    counts = predictions.matrix
    day = datetime.fromtimestamp(run.created_at, UTC).date().isoformat()
    title = run_picker.title(run)

    def page() -> str:
        pictures = None if run_picker.mismatch(run) else cache.images_of("test")[0]
        return report.html_report(
            title, tested_on(run, len(predictions.labels)), day, predictions, pictures
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
            "Matrix (picture)", lambda: report.matrix_png(counts, title), f"{name}-matrix.png"
        )


def show_headline(total: int, right: int) -> None:
    """How many of the test images were classified correctly."""
    low, high = metrics.wilson_interval(right, total)
    for label, value in (
        ("Test accuracy", f"{right / total:.2%}"),
        ("Misclassified", f"{total - right:,} of {total:,}"),
        ("95% confidence interval", f"{low:.2%} – {high:.2%}"),
    ):
        st.metric(label, value, border=True, width="content")


def show_details(run: Run, total: int, right: int) -> None:
    fewest, most = metrics.prediction_interval(total - right, total)
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
shell.check_address(
    true=lambda text: shell.is_number(text, data.CLASSES - 1),
    predicted=lambda text: shell.is_number(text, data.CLASSES - 1),
    view=VIEWS.__contains__,
    numbers=NUMBERS.__contains__,
    order=ORDERS.__contains__,
    which=[SURE_WRONG, UNSURE_RIGHT].__contains__,
    image=detail.is_name,
)
# Next to each other as far as they fit.
with st.container(horizontal=True, key="headline"):
    with presenter.hidden_when_presenting("run"):
        run = run_picker.pick_run(runs=cache.pictured_first(run_picker.trained_runs()))
    if readable := run_picker.is_readable(run):
        counts = cache.predictions(run).matrix
        total, right = int(counts.sum()), int(counts.trace())
        show_headline(total, right)
if readable:
    run_picker.warn_of_guessing(run, right / total, total, "test")
    shows: dict[str, Callable[..., None]] = {
        MATRIX: show_matrix,
        BY_DIGIT: show_digits,
        SURE: show_sure,
        CONFIDENCE: show_confidence,
        COMPARE: show_comparison,
    }
    view = choose("View", VIEWS, "view", bind="query-params")
    with st.container(key="shown_view"):
        shows[view](run)
    show_details(run, total, right)
    with presenter.hidden_when_presenting("downloads"):
        show_downloads(run)
    detail.show()
# At the end, so that the first screen has the heatmap.
notices.data_notice()
with presenter.hidden_when_presenting("next"):
    notices.next_step("draw", "Now let it read your own handwriting")
