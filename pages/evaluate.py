"""Evaluate: how good a run's network is, where it is wrong, and how far it can be believed."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from mnist_core import data
from mnist_core.analysis import comparison, confidence, metrics
from mnist_core.analysis.predictions import Predictions
from mnist_core.plots import heatmaps, html, reliability, report, style
from mnist_core.store.run import Run
from pages.components import detail, notices, run_picker
from pages.components.gallery import gallery
from pages.shared import cache, presenter, shell

shell.guard("evaluate")

MOST_IMAGES = 60
DIGITS = list(range(data.CLASSES))
MATRIX, BY_DIGIT, SURE, BELIEF, BESIDE = VIEWS = [
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
PLAIN = {"displayModeBar": False}
SURE_WRONG, UNSURE_RIGHT = "Wrong, surest first", "Right, least sure first"


# --- the matrix ---


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
        with (
            presenter.hidden_when_presenting("numbers"),
            st.container(horizontal=True, vertical_alignment="bottom"),
        ):
            written = st.segmented_control(
                "Numbers",
                list(NUMBERS),
                default="Images",
                key="numbers",
                bind="query-params",
                required=True,
                label_visibility="collapsed",
            )
            mistakes = st.toggle("Mistakes only", key="mistakes", bind="query-params")
        show_heatmap(
            cache.figure(
                ("confusion", *cache.state_of(run), written, mistakes),
                lambda: heatmaps.confusion_heatmap(
                    counts, NUMBERS[written or "Images"], mistakes, cache.dark()
                ),
            ),
            "heatmap",
            "Confusion matrix: a row for each true digit, a column for each prediction",
        )
    with right:
        show_cell(run)
    detail.show()


def show_heatmap(figure: go.Figure, key: str, alt: str) -> None:
    st.plotly_chart(
        figure,
        key=key,
        on_select=lambda: cell_clicked(key),
        selection_mode="points",
        config=PLAIN,
        alt=alt,
    )


def choose_cell(run: Run) -> tuple[int, int]:
    """The cell that was chosen, by a click on the heatmap or by hand: true and predicted digit."""
    worst = metrics.worst_confusion(cache.predictions(run).matrix) or (4, 9, 0)
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
    return true, predicted


def show_cell(run: Run) -> None:
    """The images in the chosen cell."""
    true, predicted = choose_cell(run)
    places = metrics.cell_images(cache.predictions(run), true, predicted)
    images = style.counted(len(places), "image")
    st.subheader(f"True {true}, predicted {predicted}: {images}", anchor=False)
    if len(places):
        show_images(run, "cell", places)
    else:
        st.write("No test image ends up here. Choose another cell of the heatmap.")


def show_images(run: Run, key: str, places: np.ndarray, rival: Run | None = None) -> None:
    """Test images with a network's answers, or with those of two networks."""
    if sentence := run_picker.mismatch(run):
        st.info(sentence, icon=":material/image_not_supported:")
        return
    predictions = cache.predictions(run)
    labels = predictions.labels
    if len(places) > MOST_IMAGES:
        st.caption(f"The first {MOST_IMAGES} of {len(places):,}.")
    shown = places[:MOST_IMAGES]
    answers = answers_at(predictions, shown)
    if rival:
        others = answers_at(cache.predictions(rival), shown)
        both = list(zip(shown, answers, others, strict=True))
        captions = [
            f"{labels[place]}\n{one} · {sure}\n{other} · {other_sure}"
            for place, (one, sure), (other, other_sure) in both
        ]
        texts = [
            f"Test image {place}: a {labels[place]}, read as {one} with probability {sure} by the "
            f"first, as {other} with probability {other_sure} by the second"
            for place, (one, sure), (other, other_sure) in both
        ]
        below = "its label, then a line each for what the first and the second network read"
    else:
        read = list(zip(shown, answers, strict=True))
        captions = [f"{labels[place]} → {answer}\n{sure}" for place, (answer, sure) in read]
        texts = [
            f"Test image {place}: a {labels[place]}, read as {answer} with probability {sure}"
            for place, (answer, sure) in read
        ]
        below = "its label, what the network reads"
    gallery(
        data.take(cache.images_of("test")[0], shown),
        captions,
        texts,
        label="Test images",
        key=key,
        on_choose=lambda number: detail.choose("test", int(shown[number])),
    )
    st.caption(f"Below each: {below}, with its probability. Choose one to see it large.")


def answers_at(predictions: Predictions, places: np.ndarray) -> list[tuple[int, str]]:
    """The answer to each of these images, and its confidence in percent."""
    return [
        (int(predictions.answers[place]), metrics.percent(predictions.confidences[place]))
        for place in places
    ]


# --- digit by digit ---

ORDERS: dict[str, Callable[[metrics.DigitRow], float]] = {
    "Digit": lambda row: row.digit,
    "Lowest F1": lambda row: row.f1,
    "Lowest precision": lambda row: row.precision,
    "Lowest recall": lambda row: row.recall,
    "Most mistakes": lambda row: -row.wrong,
}


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
                    f"{row.precision:.2%}",
                    f"{row.recall:.2%}",
                    f"{row.f1:.2%}",
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
            "**Precision**: of the images the network called a 4, how many are one. "
            "**Recall**: of the images of a 4, how many it called so. "
            "**F1**: the two in one number, their harmonic mean."
        )


# --- the surest and the least sure ---


@shell.fragment
def show_sure(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        which = st.segmented_control(
            "Which",
            [SURE_WRONG, UNSURE_RIGHT],
            default=SURE_WRONG,
            key="which",
            bind="query-params",
            required=True,
        )
        lowest, highest = st.slider(
            "How sure it was, in %", 0, 100, (0, 100), key="between", width=360
        )
    which = which or SURE_WRONG
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


# --- what its confidence is worth ---


@shell.fragment
def show_belief(run: Run) -> None:
    predictions = cache.predictions(run)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Does its confidence match its accuracy?", anchor=False)
        error = metrics.expected_calibration_error(predictions)
        st.plotly_chart(
            cache.figure(
                ("reliability", *cache.state_of(run)),
                lambda: reliability.reliability_chart(
                    confidence.reliability(predictions), cache.dark()
                ),
            ),
            key="reliability",
            config=PLAIN,
            alt="How often the network is right, over how sure it is, with 95% intervals",
        )
        st.caption(
            f"Expected calibration error {error:.2%}: so far apart the two are on average "
            "(15 bins). Above the line it is too modest, below too sure. Long whiskers: few images."
        )
    with right:
        st.subheader("What if it may abstain?", anchor=False)
        percent = st.slider(
            "Minimum confidence to answer",
            10.0,
            100.0,
            90.0,
            0.5,
            format="%.1f %%",
            key="threshold",
        )
        point = confidence.coverage(predictions, percent / 100)
        st.plotly_chart(
            cache.figure(
                ("coverage", *cache.state_of(run), percent),
                lambda: reliability.coverage_chart(
                    confidence.coverage_curve(predictions), point, cache.dark()
                ),
            ),
            key="coverage",
            config=PLAIN,
            alt="Accuracy of the answers given, over the share of images that are answered",
        )
        st.markdown(f"**{refused(point, len(predictions.labels))}**")


def refused(point: confidence.Coverage, total: int) -> str:
    """What a threshold comes to, in words."""
    if point.accuracy is None:
        return "So sure it is of no image: it answers none."
    return (
        f"It answers {point.share:.2%} of the images and refuses {total - point.answered:,}; "
        f"{point.accuracy:.2%} of its answers are right, {point.wrong:,} wrong."
    )


# --- two networks ---


@shell.fragment
def show_beside(run: Run) -> None:
    runs = [other for other in run_picker.trained_runs() if other.test_fingerprint]
    rival = run_picker.pick_other_run("Compare with", run, runs)
    if rival is None:
        st.write("Choose a second network above: which images does only one of them read?")
        return
    if rival.test_fingerprint != run.test_fingerprint:
        st.info(
            f"The two were tested on different images ({run.dataset}; {rival.dataset}), so they "
            "cannot be compared image by image.",
            icon=":material/compare_arrows:",
        )
        return
    if not run_picker.is_readable(rival):
        return
    first, second = cache.predictions(run), cache.predictions(rival)
    found = comparison.compare(first, second)
    one, other = len(found.only_first), len(found.only_second)
    st.markdown(f"The first is **{run.title}**, the second **{rival.title}**.")
    st.info(comparison.verdict(one, other), icon=":material/balance:")
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Images more in the first (+) or in the second (−)", anchor=False)
        show_heatmap(
            cache.figure(
                ("difference", *cache.state_of(run), *cache.state_of(rival)),
                lambda: heatmaps.difference_heatmap(first.matrix, second.matrix, cache.dark()),
            ),
            "difference",
            "Difference of the two confusion matrices: a row for each true digit",
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


# --- to take home ---


def show_downloads(run: Run) -> None:
    predictions = cache.predictions(run)
    counts = predictions.matrix
    day = datetime.fromtimestamp(run.created_at, UTC).date().isoformat()

    def page() -> str:
        pictures = None if run_picker.mismatch(run) else cache.images_of("test")[0]
        return report.html_report(
            run.title, tested_on(run, len(predictions.labels)), day, predictions, pictures
        )

    with st.expander("Download results", icon=":material/download:"), st.container(horizontal=True):
        name = f"mnist-{run.id}"
        for label, make, file in (
            ("Report (HTML)", page, f"{name}.html"),
            (
                "Predictions (CSV)",
                lambda: report.predictions_csv(predictions),
                f"{name}-predictions.csv",
            ),
            ("Matrix (CSV)", lambda: report.matrix_csv(counts), f"{name}-matrix.csv"),
            (
                "Matrix (picture)",
                lambda: report.matrix_png(counts, run.title),
                f"{name}-matrix.png",
            ),
        ):
            # Made when it is asked for, not at every rerun.
            st.download_button(label, make, file, on_click="ignore")


def show_headline(run: Run) -> None:
    counts = cache.predictions(run).matrix
    total, right = int(counts.sum()), int(counts.trace())
    low, high = metrics.wilson_interval(right, total)
    fewest, most = metrics.prediction_interval(total - right, total)
    # Side by side as far as they fit, so that a phone shows more than three numbers.
    with st.container(horizontal=True, key="headline"):
        st.metric("Test accuracy", f"{right / total:.2%}", border=True, width="content")
        st.metric("Misclassified", f"{total - right:,} of {total:,}", border=True, width="content")
        st.metric(
            "95% confidence interval", f"{low:.2%} – {high:.2%}", border=True, width="content"
        )
    run_picker.warn_of_guessing(run, right / total, total, "test")
    st.caption(
        f"{tested_on(run, total)}. The confidence interval (Wilson) is for the accuracy on all "
        f"such images. Of {total:,} other such images the network would misclassify between "
        f"{fewest:,} and {most:,} (95% prediction interval)."
    )


def tested_on(run: Run, total: int) -> str:
    """What a run was trained on, and tested with, in words."""
    tested = f"ested once, on {style.counted(total, 'test image')} that it was not trained on"
    return f"Trained on {run.trained_on}, and t{tested}" if run.trained_on else f"T{tested}"


st.title("Where does the network go wrong?")
notices.data_notice()
shell.check_address(
    true=lambda text: shell.is_number(text, data.CLASSES - 1),
    predicted=lambda text: shell.is_number(text, data.CLASSES - 1),
    view=lambda text: text in VIEWS,
    numbers=lambda text: text in NUMBERS,
    order=lambda text: text in ORDERS,
    which=lambda text: text in (SURE_WRONG, UNSURE_RIGHT),
    image=detail.is_name,
)
with presenter.hidden_when_presenting("run"):
    run = run_picker.pick_run(runs=cache.pictured_first(run_picker.trained_runs()))
if run_picker.is_readable(run):
    show_headline(run)
    view = notices.pick_view("view", VIEWS)
    shows: dict[str, Callable[..., None]] = {
        BY_DIGIT: show_digits,
        SURE: show_sure,
        BELIEF: show_belief,
        BESIDE: show_beside,
    }
    shows.get(view, show_matrix)(run)
    with presenter.hidden_when_presenting("downloads"):
        show_downloads(run)
    detail.show()

notices.next_step("draw", "Now let it read your own handwriting", ":material/draw:")
