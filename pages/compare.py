"""Compare: all networks in a table, their curves in one figure, and what can be done with one."""

import re
from collections.abc import Callable
from functools import partial

import streamlit as st

from mnist_core.analysis import metrics
from mnist_core.config import describe
from mnist_core.errors import RunNotFound
from mnist_core.keras_script import keras_script, use_keras, use_litert
from mnist_core.plots import html
from mnist_core.plots.curves import overlaid_curves
from mnist_core.progress import Progress, epoch_ends, thin, to_csv
from mnist_core.store.quotas import MOST_PINNED_EACH
from mnist_core.store.run import FINISHED, KERAS, LITERT, RUNNING, WAITING, Run
from mnist_core.store.runs import NAME_LENGTH
from pages.components import notices, run_picker, teacher
from pages.components.live_chart import cached_figure_json, live_chart
from pages.server import limits
from pages.server.rates import CHANGE
from pages.shared import cache, presenter, shell
from pages.shared import visitor as visitor_module

shell.guard("compare")

MOST_OVERLAID = 6
MOST_ROWS = 60
MOST_POINTS = 200
# What the table can be sorted by: a run's value, and whether the largest comes first. Not by test
# accuracy, which is reported and not chosen by.
ORDERS = {
    "Validation accuracy": (lambda run: run.validation_accuracy or 0.0, True),
    "Newest": (lambda run: run.created_at, True),
    "Fastest": (lambda run: run.train_seconds or 0.0, False),
    "Fewest parameters": (lambda run: run.parameters or 0, False),
    "Fewest epochs": (lambda run: run.epochs or 0, False),
    "Settings": (lambda run: describe(run.config), False),
    "Name": (lambda run: run.title.lower(), False),
}
# What the table says of a run's state; most are finished, and nothing has to be said.
STATES = {FINISHED: "", RUNNING: "going on now", WAITING: "waits to go on"}


def show_table(runs: list[Run], visitor: str) -> None:
    with (
        presenter.hidden_when_presenting("order"),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        order = st.selectbox("Sort by", list(ORDERS), key="sort", bind="query-params", width=240)
        turned = st.toggle("Reverse order", key="turned", bind="query-params")
    value, largest_first = ORDERS[order]
    runs = sorted(runs, key=value, reverse=largest_first != turned)
    # What a phone has room for comes first.
    header = (
        "Run",
        "Validation accuracy",
        "Test accuracy",
        "95% confidence interval",
        "Test images",
        "Parameters",
        "Time",
        "Epochs",
        "Settings",
    )
    rows = [
        (
            named(run, visitor),
            "–" if run.validation_accuracy is None else f"{run.validation_accuracy:.2%}",
            f"{run.test_accuracy:.2%}",
            interval(run),
            number(run.test_images),
            number(run.parameters),
            "–" if run.train_seconds is None else f"{run.train_seconds:,.1f} s",
            number(run.epochs),
            describe(run.config),
        )
        for run in runs[:MOST_ROWS]
    ]
    with st.container(key="runs_table"):
        st.html(html.table(header, rows, long=(0, len(header) - 1)))
    st.caption(
        "Choose by validation accuracy; the test accuracy is only reported. The interval holds "
        "the accuracy on all such images with 95% confidence."
    )
    if len(runs) > MOST_ROWS:
        st.caption(f"The first {MOST_ROWS} of {len(runs)} runs in this order.")


def named(run: Run, visitor: str) -> str:
    """A run's name, where it comes from, whose it is, and its state unless it is finished."""
    notes = ["yours"] * (run.owner == visitor) + [STATES.get(run.state, run.state)]
    noted = ", ".join(note for note in notes if note)
    return short_name(run) + (f" ({noted})" if noted else "")


def short_name(run: Run) -> str:
    """Its title without the accuracy."""
    return f"{run.label} · {run.origin}"


def number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def interval(run: Run) -> str:
    """Where the accuracy on all such images lies, with 95% confidence."""
    images = run.test_images
    if not images:
        return "–"
    right = round((run.test_accuracy or 0.0) * images)
    low, high = metrics.wilson_interval(right, images)
    return f"{low:.2%} to {high:.2%}"


def choose_overlaid(runs: list[Run]) -> list[Run]:
    """Those to draw; kept in the address."""
    found = {run.id: run for run in runs}
    if "overlaid" not in st.session_state:
        named_there = st.query_params.get("runs", "").split(",")
        wanted = list(dict.fromkeys(run_id for run_id in named_there if run_id))
        known = [run_id for run_id in wanted if run_id in found][:MOST_OVERLAID]
        if len(known) < len(wanted):
            st.warning(
                "The address names runs that are not here, or too many; those that are here "
                "are shown.",
                icon=":material/link_off:",
            )
        best = sorted(runs, key=lambda run: run.validation_accuracy or 0.0, reverse=True)
        st.session_state["overlaid_start"] = known or [run.id for run in best[:2]]
    start = [run_id for run_id in st.session_state["overlaid_start"] if run_id in found]
    with presenter.hidden_when_presenting("overlaid"):
        chosen = st.multiselect(
            "Runs to show",
            list(found),
            default=start,
            max_selections=MOST_OVERLAID,
            key="overlaid",
            format_func=lambda run_id: found[run_id].title,
        )
    st.query_params["runs"] = ",".join(chosen)
    return [found[run_id] for run_id in chosen]


def show_curves(runs: list[Run]) -> None:
    over = st.segmented_control(
        "Horizontal axis",
        ["epoch", "seconds"],
        default="epoch",
        key="over",
        required=True,
        format_func=lambda over: "Epochs" if over == "epoch" else "Seconds of training",
    )
    axis = "epochs" if over == "epoch" else "seconds of training"
    curves = [(run.title, thin(cache.curves(run), MOST_POINTS)) for run in runs]
    states = [
        (title, *cache.state_of(run), len(reports))
        for run, (title, reports) in zip(runs, curves, strict=True)
    ]
    for column, value in zip(st.columns(2), ("accuracy", "loss"), strict=True):
        figure = cached_figure_json(
            ("overlaid", value, over, *states),
            partial(overlaid_curves, curves, value, over),
        )
        with column:
            st.markdown(f"**{value.capitalize()}**: validation marked, training batches dotted")
            live_chart(
                figure,
                f"{value.capitalize()} over {axis}. {ends(curves, value)}",
                key=f"overlaid-{value}",
            )


def ends(curves: list[tuple[str, list[Progress]]], value: str) -> str:
    """Where the validation curves end, in words."""
    sentences = []
    for name, reports in curves:
        if validated := epoch_ends(reports):
            last = getattr(validated[-1], f"validation_{value}")
            text = f"{last:.1%}" if value == "accuracy" else f"{last:.3f}"
            sentences.append(f"{name} ends at {text} on validation images.")
    return " ".join(sentences)


def show_one(run: Run, visitor: str) -> None:
    st.write(f"{describe(run.config)} · {run.dataset}")
    with st.container(horizontal=True):
        # Letters and digits only, and never the same for two runs.
        file = "-".join([*re.findall(r"\w+", run.name), run.id])
        for label, kind, ending in (
            ("Keras model (.keras)", KERAS, "keras"),
            ("LiteRT model (.tflite)", LITERT, "tflite"),
        ):
            download(label, partial(cache.artifact, run.id, kind), f"{file}.{ending}")
        download("Curves (.csv)", lambda: to_csv(cache.curves(run)), f"{file}.csv")
        download("Keras script (.py)", lambda: keras_script(run.config), f"{file}.py")
    show_use(run, file)
    if teacher.may_change(run, visitor):
        manage(run, visitor)


def show_use(run: Run, file: str) -> None:
    """What the two model files do, and how to use them."""
    try:
        complete = cache.classifier(run).complete
    except (RunNotFound, ValueError):
        st.caption("The network's files cannot be read here.")
        return
    many = run.config.looks > 1
    if complete:
        views = f", average over {run.config.looks} views a pixel apart" if many else ""
        accuracy = "" if run.test_accuracy is None else f": {run.test_accuracy:.2%} of test images"
        st.caption(
            "Both models take images as MNIST has them, whole numbers from 0 (paper) to 255 (ink), "
            f"28 × 28, scale them by themselves{views}, and give ten probabilities. They classify "
            f"as this app does{accuracy}. The LiteRT file has a second signature, *layers*, with "
            "the output of every layer by its name."
        )
    else:
        views = (
            f" They answer from a single view and this app averages {run.config.looks}, so their "
            "accuracy differs a little from the one above."
        )
        st.caption(
            "These files were made by an earlier version. Both models take 28 × 28 pixels from 0 "
            "(paper) to 1 (ink): divide MNIST's by 255. The LiteRT file's outputs are its layers "
            "in order, the last one the ten probabilities." + (views if many else "")
        )
    with st.expander("How to use the models", icon=":material/code:"):
        in_keras, in_litert = st.tabs(["Keras", "LiteRT"])
        in_keras.code(use_keras(f"{file}.keras", complete))
        in_litert.code(use_litert(f"{file}.tflite", complete, len(run.config.layers)))


def download(label: str, data: Callable[[], str | bytes], file_name: str) -> None:
    """A button that fetches what it gives only once it is pressed."""
    st.download_button(
        label,
        data,
        file_name,
        on_click="ignore",
        icon=":material/download:",
        key=f"download-{file_name}",
    )


def manage(run: Run, visitor: str) -> None:
    """What only the owner may do, and the teacher."""
    own = run.owner == visitor
    st.subheader("This run is yours" if own else "This run, for the teacher", anchor=False)
    # A form, so that Enter renames as well.
    with (
        st.form(f"rename-{run.id}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        st.text_input("Name", run.name, max_chars=NAME_LENGTH, key=f"name-{run.id}", width=240)
        st.form_submit_button(
            "Rename", icon=":material/edit:", on_click=rename, args=(run.id, visitor)
        )
    with st.container(horizontal=True):
        st.button(
            "No longer keep" if run.pinned else "Keep",
            icon=":material/keep_off:" if run.pinned else ":material/keep:",
            on_click=pin,
            args=(run.id, visitor, not run.pinned),
        )
        if not run.active:
            with st.popover("Delete", icon=":material/delete:"):
                st.write("Its curves and its network are gone then.")
                st.button(
                    "Delete this run for good",
                    type="primary",
                    on_click=delete,
                    args=(run.id, visitor),
                )
    st.caption(
        f"Old runs are deleted when there are many; you can keep up to {MOST_PINNED_EACH} of yours."
    )


@shell.guarded
def rename(run_id: str, visitor: str) -> None:
    # What the box holds now: an argument would still be what it held when it was drawn.
    name = str(st.session_state[f"name-{run_id}"])
    with limits.counted(CHANGE, visitor):
        cache.store().rename(run_id, teacher.acting_as(visitor), name)


@shell.guarded
def pin(run_id: str, visitor: str, pinned: bool) -> None:
    with limits.counted(CHANGE, visitor):
        cache.store().pin(run_id, teacher.acting_as(visitor), pinned)


@shell.guarded
def delete(run_id: str, visitor: str) -> None:
    with limits.counted(CHANGE, visitor):
        cache.store().delete(run_id, teacher.acting_as(visitor))
    st.query_params.pop("run", None)


st.title("Compare runs")
visitor = visitor_module.visitor()
shell.check_address(sort=lambda text: text in ORDERS)
runs = [run for run in run_picker.trained_runs() if run.test_accuracy is not None]
if all(run.shipped for run in runs):
    st.info(
        "These networks came with the app. Train one of your own, and it stands beside them.",
        icon=":material/compare_arrows:",
    )
show_table(runs, visitor)
st.subheader("Curves", anchor=False)
if overlaid := choose_overlaid(runs):
    show_curves(overlaid)
else:
    st.info("Choose one or more runs to see their curves.", icon=":material/show_chart:")
with presenter.hidden_when_presenting("one_run"):
    st.subheader("Details and downloads", anchor=False)
    run = run_picker.pick_run("Run", runs=runs)
    show_one(run, visitor)
if all(run.shipped for run in runs):
    notices.next_step("train", "Train a network of your own", ":material/play_arrow:")
else:
    notices.next_step(
        "evaluate", "See where this network is wrong", ":material/grid_on:", run=run.id
    )
teacher.show(visitor)
