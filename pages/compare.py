"""Compare: all runs in a table, their curves in one figure, and the details of one."""

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
from mnist_core.plots.style import NONE
from mnist_core.progress import Progress, epoch_ends, thin, to_csv
from mnist_core.store.names import NAME_LENGTH
from mnist_core.store.quotas import MOST_PINNED_EACH
from mnist_core.store.ranking import ORDERS, ordered
from mnist_core.store.run import FINISHED, KERAS, LITERT, RUNNING, WAITING, Run
from pages.components import notices, run_picker, teacher
from pages.components.choices import choose
from pages.components.live_chart import cached_figure_json, live_chart
from pages.components.words import number, percent
from pages.server import limits
from pages.server.rates import CHANGE
from pages.shared import cache, presenter, shell
from pages.shared.visitor import this_visitor

shell.guard("compare")

MOST_ROWS, ROWS_IN_VIEW = 60, 8
# On a wide page; where lines wrap, fewer rows are in view at once.
HEADER_PIXELS, ROW_PIXELS = 64, 40
MOST_POINTS = 200
# What a run with a network does now, unless it is finished.
STATES = {FINISHED: "", RUNNING: "training again", WAITING: "waiting to continue"}
# What a phone has room for comes first.
HEADER = (
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
INTERVAL = 3


def show_table(runs: list[Run], visitor: str) -> None:
    with presenter.hidden_when_presenting("order", horizontal=True, vertical_alignment="bottom"):
        order = st.selectbox("Sort by", list(ORDERS), key="sort", bind="query-params", width=200)
        reverse = st.toggle("Reversed", key="turned", bind="query-params")
    rows = [
        (
            run_picker.title(run) + notes(run, visitor),
            percent(run.validation_accuracy),
            percent(run.test_accuracy),
            interval(run),
            number(run.test_images),
            number(run.parameters),
            NONE if run.train_seconds is None else f"{run.train_seconds:,.1f} s",
            number(run.epochs),
            describe(run.config),
        )
        for run in ordered(runs, order, reverse)[:MOST_ROWS]
    ]
    height = HEADER_PIXELS + ROW_PIXELS * min(len(rows), ROWS_IN_VIEW)
    with shell.reserved("runs", height), st.container(key="runs_table"):
        long = (0, INTERVAL, len(HEADER) - 1)
        st.html(html.table(HEADER, rows, long, name="All runs", most_pixels=height))
    st.caption(
        "Choose by validation accuracy; the test accuracy is only reported. The interval contains "
        "the accuracy on all such images with 95% confidence."
    )
    if len(runs) > MOST_ROWS:
        st.caption(f"The first {MOST_ROWS} of {len(runs)} runs in this order.")


def notes(run: Run, visitor: str) -> str:
    """Whose a run is, and its state unless it is finished, in brackets."""
    both = ["yours"] * (run.owner == visitor) + [STATES.get(run.state, run.state)]
    noted = ", ".join(note for note in both if note)
    return f" ({noted})" if noted else ""


def interval(run: Run) -> str:
    images = run.test_images
    if not images:
        return NONE
    low, high = metrics.wilson_interval(round((run.test_accuracy or 0.0) * images), images)
    return f"{low:.2%} – {high:.2%}"


def choose_overlaid(runs: list[Run]) -> list[Run]:
    """The runs whose curves to show; kept in the address."""
    if "overlaid" not in st.session_state:
        st.session_state["overlaid_start"] = first_overlaid(runs)
    with presenter.hidden_when_presenting("overlaid"):
        chosen = run_picker.pick_runs(
            "Runs to show",
            runs,
            st.session_state["overlaid_start"],
            "overlaid",
            most=run_picker.MOST_OVERLAID,
        )
    st.query_params["runs"] = ",".join(run.id for run in chosen)
    return chosen


def first_overlaid(runs: list[Run]) -> list[str]:
    """The runs that the address names, or else the one in it and the built-in ones, or else the
    best two."""
    found = [run.id for run in runs]
    wanted = list(dict.fromkeys(filter(None, st.query_params.get("runs", "").split(","))))
    known = [run_id for run_id in wanted if run_id in found][: run_picker.MOST_OVERLAID]
    if len(known) < len(wanted):
        st.warning(
            "The link names runs that are not here, or too many; those that are here are shown.",
            icon=":material/link_off:",
        )
    one = st.query_params.get("run")
    if not known and one in found:
        known = list(dict.fromkeys([one, *(run.id for run in runs if run.shipped)]))
    return known or [run.id for run in ordered(runs)[:2]]


def show_curves(runs: list[Run], visitor: str, marked: Run | None) -> None:
    """The curves of these runs.

    Args:
        marked: the run that has thicker lines than the others, if it is among them.
    """
    axes = {"epoch": "Epochs", "seconds": "Seconds of training"}
    over = choose(
        "Horizontal axis",
        list(axes),
        "over",
        format_func=axes.__getitem__,
        label_visibility="visible",
    )
    titles = run_picker.titles(runs)
    names = [titles[run.id] + run_picker.YOURS * (run.owner == visitor) for run in runs]
    curves = [
        (name, thin(cache.curves(run), MOST_POINTS)) for name, run in zip(names, runs, strict=True)
    ]
    thick = names[runs.index(marked)] if marked in runs else ""
    meaning = "validation marked, training batches dotted"
    if thick:
        meaning += f"; {thick} is thicker"
    states = [
        (title, *cache.state_of(run), len(reports))
        for run, (title, reports) in zip(runs, curves, strict=True)
    ]
    for column, value in zip(st.columns(2), ("accuracy", "loss"), strict=True):
        figure = cached_figure_json(
            ("overlaid", value, over, thick, *states),
            partial(overlaid_curves, curves, value, over, thick),
        )
        with column:
            st.markdown(f"**{value.capitalize()}**: {meaning}")
            live_chart(
                figure,
                f"{value.capitalize()} over {axes[over].lower()}. {ends(curves, value)}",
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
    if not run.shipped:
        st.caption(f"Short id: {run.id}")
    # Letters and digits only, and never the same for two runs.
    file = "-".join([*re.findall(r"\w+", run.name), run.id])
    downloads: dict[str, tuple[str, Callable[[], str | bytes]]] = {
        "Keras model (.keras)": ("keras", partial(cache.artifact, run.id, KERAS)),
        "LiteRT model (.tflite)": ("tflite", partial(cache.artifact, run.id, LITERT)),
        "Curves (.csv)": ("csv", lambda: to_csv(cache.curves(run))),
        "Keras script (.py)": ("py", lambda: keras_script(run.config)),
    }
    with st.container(horizontal=True):
        for label, (ending, make) in downloads.items():
            notices.download(label, make, f"{file}.{ending}")
    show_use(run, file)
    if teacher.may_change(run, visitor):
        manage(run, visitor)


def show_use(run: Run, file: str) -> None:
    """What the two model files expect and give, and how to use them."""
    try:
        complete = cache.classifier(run).complete
    except (RunNotFound, ValueError):
        st.caption("The network's files cannot be read here.")
        return
    looks = run.config.looks
    if complete:
        views = f", average over {looks} views a pixel apart" if looks > 1 else ""
        accuracy = "" if run.test_accuracy is None else f": {run.test_accuracy:.2%} of test images"
        st.caption(
            "Both models take images as MNIST has them, whole numbers from 0 (paper) to 255 (ink), "
            f"28 × 28, scale them{views}, and give ten probabilities. They classify as this app "
            f"does{accuracy}. The LiteRT file has a second signature, *layers*, with the output of "
            "each layer by name."
        )
    else:
        views = (
            f" They use a single view and this app averages {looks}, so their accuracy differs a "
            "little from the one above."
        )
        st.caption(
            "An earlier version made these files. Both models take 28 × 28 pixels from 0 (paper) "
            "to 1 (ink): divide MNIST's by 255. The LiteRT file's outputs are its layers in order; "
            "the last one is the ten probabilities." + (views if looks > 1 else "")
        )
    with st.expander("How to use the models", icon=":material/code:"):
        in_keras, in_litert = st.tabs(["Keras", "LiteRT"])
        in_keras.code(use_keras(f"{file}.keras", complete))
        in_litert.code(use_litert(f"{file}.tflite", complete, len(run.config.layers)))


def manage(run: Run, visitor: str) -> None:
    """What only the owner and the teacher may do."""
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
        if run.pinned:
            shell.button("No longer keep", "keep_off", pin, run.id, visitor, False)
        else:
            shell.button("Keep", "keep", pin, run.id, visitor, True)
        if not run.active:
            with st.popover("Delete", icon=":material/delete:"):
                st.write("This deletes its curves and its network.")
                label = "Delete this run for good"
                shell.button(label, "delete", delete, run.id, visitor, type="primary")
    st.caption(
        f"Old runs are deleted when there are many; you can keep up to {MOST_PINNED_EACH} of yours."
    )


@shell.guarded
def rename(run_id: str, visitor: str) -> None:
    # An argument would be what the box held when it was shown.
    with limits.counted(CHANGE, visitor):
        name = str(st.session_state[f"name-{run_id}"])
        cache.store().rename(run_id, teacher.acting_as(visitor), name)


def pin(run_id: str, visitor: str, pinned: bool) -> None:
    with limits.counted(CHANGE, visitor):
        cache.store().pin(run_id, teacher.acting_as(visitor), pinned)


def delete(run_id: str, visitor: str) -> None:
    with limits.counted(CHANGE, visitor):
        cache.store().delete(run_id, teacher.acting_as(visitor))
    st.query_params.pop("run", None)


st.title("Compare runs")
visitor = this_visitor()
shell.check_address(sort=ORDERS.__contains__)
runs = [run for run in run_picker.trained_runs() if run.test_accuracy is not None]
only_built_in = all(run.shipped for run in runs)
if only_built_in:
    st.info(
        "These are the built-in networks. Train one of your own to compare it with them.",
        icon=":material/compare_arrows:",
    )
show_table(runs, visitor)
st.subheader("Curves", anchor=False)
came_from = st.session_state.get("came_from")
if st.session_state["arrived"]:
    # Later on the address names the run whose details are shown.
    came_from = st.session_state["came_from"] = st.query_params.get("run")
if overlaid := choose_overlaid(runs):
    own = [run for run in overlaid if run.id == came_from and not run.shipped]
    show_curves(overlaid, visitor, own[0] if own else None)
else:
    st.info("Choose one or more runs to see their curves.", icon=":material/show_chart:")
with presenter.hidden_when_presenting("one_run"):
    st.subheader("Details and downloads", anchor=False)
    run = run_picker.pick_run("Run", runs=runs)
    show_one(run, visitor)
if only_built_in:
    notices.next_step("train", "Train a network of your own")
else:
    notices.next_step("evaluate", "See where this network is wrong", run=run.id)
teacher.show(visitor)
