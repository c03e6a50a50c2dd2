"""Compare: all networks in a table, their curves in one figure, and what can be done with one."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from mnist_core import charts, evaluation, markup
from mnist_core.config import describe
from mnist_core.data import Dataset
from mnist_core.progress import thin, to_csv
from mnist_core.runs import KERAS, LITERT, MOST_PINNED_EACH, NAME_LENGTH, Run
from mnist_core.script import keras_script
from pages import shared
from pages.live_chart import live_chart

shared.guard("compare")

MOST_OVERLAID = 6
MOST_ROWS = 60
MOST_POINTS = 200
# What the table can be sorted by: a run's value, and whether the largest comes first.
ORDERS = {
    "Test accuracy": (lambda run: run.test_accuracy or 0.0, True),
    "Newest": (lambda run: run.created_at, True),
    "Fastest": (lambda run: run.train_seconds or 0.0, False),
    "Fewest parameters": (lambda run: run.parameters or 0, False),
    "Name": (lambda run: run.title.lower(), False),
}


def show_table(runs: list[Run], visitor: str) -> None:
    order = st.selectbox("Sort by", list(ORDERS), key="order", bind="query-params", width=240)
    value, largest_first = ORDERS[order]
    runs = sorted(runs, key=value, reverse=largest_first)
    header = ("Run", "Settings", "Test accuracy", "95 % interval", "Parameters", "Time", "Epochs")
    rows = []
    for run in runs[:MOST_ROWS]:
        name = f"{run.name or run.config.preset} · {'shipped' if run.shipped else run.id}"
        if run.owner == visitor:
            name += " (yours)"
        rows.append(
            (
                name if not run.active else f"{name}, going on",
                describe(run.config),
                f"{run.test_accuracy:.2%}",
                interval(run),
                f"{run.parameters:,}",
                f"{run.train_seconds:.1f} s",
                str(run.epochs),
            )
        )
    st.html(markup.table(header, rows, texts=2))
    if len(runs) > MOST_ROWS:
        st.caption(f"The first {MOST_ROWS} of {len(runs)} runs in this order.")


def interval(run: Run) -> str:
    """Where the accuracy on all the world's such digits lies, with 95 % confidence."""
    images = Dataset.test_images_in(run.dataset)
    right = round((run.test_accuracy or 0.0) * images)
    low, high = evaluation.wilson_interval(right, images)
    return f"{100 * low:.2f} to {100 * high:.2f} %"


def choose_overlaid(runs: list[Run]) -> list[Run]:
    """Those to draw; kept in the address."""
    found = {run.id: run for run in runs}
    if "overlaid" not in st.session_state:
        wanted = [run_id for run_id in st.query_params.get("runs", "").split(",") if run_id]
        known = [run_id for run_id in wanted if run_id in found][:MOST_OVERLAID]
        if len(known) < len(wanted):
            st.warning(
                "The address names runs that are not here, or too many; those that are here "
                "are shown.",
                icon=":material/link_off:",
            )
        best = sorted(runs, key=lambda run: run.test_accuracy or 0.0, reverse=True)
        st.session_state["overlaid_start"] = known or [run.id for run in best[:2]]
    start = [run_id for run_id in st.session_state["overlaid_start"] if run_id in found]
    chosen = st.multiselect(
        "Runs to draw",
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
        "Draw over",
        ["epoch", "seconds"],
        default="epoch",
        key="over",
        required=True,
        format_func=lambda over: "Epochs" if over == "epoch" else "Seconds of training",
    )
    curves = [(run.title, thin(shared.curves(run), MOST_POINTS)) for run in runs]
    names = ", ".join(name for name, _ in curves)
    for column, value in zip(st.columns(2), ("accuracy", "loss"), strict=True):
        with column:
            st.markdown(f"**{value.capitalize()}**: validation marked, training batches dotted")
            live_chart(
                charts.overlaid_curves(curves, value, over),
                f"{value.capitalize()} of {names} over {over}",
                key=f"overlaid-{value}",
            )


def show_one(run: Run, visitor: str) -> None:
    st.write(f"{describe(run.config)} · {run.dataset}")
    with st.container(horizontal=True):
        file = "".join(sign if sign.isalnum() else "-" for sign in run.name or run.id)
        for label, kind, ending in (
            ("Keras model (.keras)", KERAS, "keras"),
            ("LiteRT model (.tflite)", LITERT, "tflite"),
        ):
            download(label, partial(shared.artifact, run.id, kind), f"{file}.{ending}")
        download("Curves (.csv)", lambda: to_csv(shared.curves(run)), f"{file}.csv")
        download("Keras script (.py)", lambda: keras_script(run.config), f"{file}.py")
    if run.owner == visitor:
        manage(run, visitor)


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
    """What only the owner may do."""
    st.subheader("This run is yours", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Name", run.name, max_chars=NAME_LENGTH, key=f"name-{run.id}", width=240
        )
        st.button("Rename", icon=":material/edit:", on_click=rename, args=(run.id, visitor, name))
        st.button(
            "No longer keep" if run.pinned else "Keep",
            icon=":material/keep_off:" if run.pinned else ":material/keep:",
            on_click=pin,
            args=(run.id, visitor, not run.pinned),
            help=f"Old runs are deleted when there are many; up to {MOST_PINNED_EACH} of yours "
            "can be kept.",
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


@shared.guarded
def rename(run_id: str, visitor: str, name: str) -> None:
    shared.store().rename(run_id, visitor, name)


@shared.guarded
def pin(run_id: str, visitor: str, pinned: bool) -> None:
    shared.store().pin(run_id, visitor, pinned)


@shared.guarded
def delete(run_id: str, visitor: str) -> None:
    shared.store().delete(run_id, visitor)
    st.query_params.pop("run", None)


st.title("Compare runs")
visitor = shared.visitor()
runs = [run for run in shared.trained_runs() if run.test_accuracy is not None]
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
st.subheader("One run", anchor=False)
run = shared.pick_run("Run", runs=runs)
show_one(run, visitor)
if all(run.shipped for run in runs):
    shared.next_step("train", "Train a network of your own", ":material/play_arrow:")
else:
    shared.next_step(
        "evaluate", "See where this network is wrong", ":material/grid_on:", run=run.id
    )
