"""Train: settings, a button, and curves that move until the network is done."""

import dataclasses
from collections.abc import Sequence

import streamlit as st

from mnist_core import charts
from mnist_core.config import ADDRESS_FIELDS, LIMITS, PRESETS, TrainConfig
from mnist_core.errors import InvalidConfig, RunNotFound
from mnist_core.progress import Progress, thin
from mnist_core.runs import FAILED, INTERRUPTED, RUNNING, WAITING, Run
from pages import shared
from pages.live_chart import live_chart

shared.guard("train")

MOST_POINTS = 300
BATCH_SIZES = [32, 64, 128, 256, 512]
LEARNING_RATES = [0.0001, 0.0003, 0.001, 0.002, 0.004, 0.006, 0.01, 0.03, 0.1]
DESCRIPTIONS = {
    "classic": "784 pixels → 128 → 64 → 10. Seconds to train. Also learns from 3,000 digits that "
    "this project drew.",
    "cnn": "Convolutions that see strokes. Minutes to train; reads drawings best. Also learns from "
    "10,000 digits that this project drew, and sees each digit turned and bent.",
}


def key(field: str) -> str:
    """The session key of a setting's widget; Explore has a seed of its own."""
    return f"train_{field}"


def read_address() -> None:
    """Settings a link brought, once a visit; what is out of range is said and replaced."""
    if "preset" not in st.session_state:
        config, problems = TrainConfig.from_query(st.query_params.to_dict())
        st.session_state["address_problems"] = problems
        st.session_state["settings"] = config
        st.session_state["preset"] = config.preset
    for field in ADDRESS_FIELDS:
        # Widgets forget their values when another page is visited; the settings do not.
        st.session_state.setdefault(key(field), getattr(st.session_state["settings"], field))


def preset_chosen() -> None:
    st.session_state["preset"] = st.session_state["preset_widget"] or st.session_state["preset"]
    for field in ADDRESS_FIELDS:
        st.session_state[key(field)] = getattr(PRESETS[st.session_state["preset"]], field)


def with_value(options: Sequence[float], value: float) -> list[float]:
    """The options, and what a link may have asked for beside them."""
    return sorted({*options, value})


def settings() -> TrainConfig:
    """The widgets, and the settings they stand at; the address follows."""
    read_address()
    for problem in st.session_state["address_problems"]:
        st.warning(problem, icon=":material/link_off:")
    preset = st.session_state["preset"]
    st.segmented_control(
        "Network",
        list(PRESETS),
        default=preset,
        key="preset_widget",
        on_change=preset_chosen,
        required=True,
    )
    st.caption(DESCRIPTIONS[preset])
    low, high = (int(limit) for limit in LIMITS["epochs"])
    st.slider("Epochs", low, high, key=key("epochs"), help="Passes over all training images.")
    st.select_slider(
        "Batch size",
        with_value(BATCH_SIZES, st.session_state[key("batch_size")]),
        key=key("batch_size"),
        help="Images looked at before each small change. Larger is faster, and needs a larger "
        "learning rate.",
    )
    st.select_slider(
        "Learning rate",
        with_value(LEARNING_RATES, st.session_state[key("learning_rate")]),
        key=key("learning_rate"),
        format_func=lambda value: f"{value:g}",
        help="How far each change goes. Try 0.1 to see a training fail.",
    )
    low, high = (int(limit) for limit in LIMITS["seed"])
    st.number_input(
        "Seed", low, high, key=key("seed"), help="The same seed gives the same training again."
    )
    values = {field: st.session_state[key(field)] for field in ADDRESS_FIELDS}
    config = dataclasses.replace(PRESETS[preset], **values)
    if config != st.session_state["settings"]:
        # The person has taken over: what was wrong with the link no longer matters.
        st.session_state["address_problems"] = []
    st.session_state["settings"] = config
    wanted = config.to_query()
    for field in ("preset", *ADDRESS_FIELDS):
        if field in wanted:
            if st.query_params.get(field) != wanted[field]:
                st.query_params[field] = wanted[field]
        elif field in st.query_params:
            del st.query_params[field]
    return config


def my_active_run(visitor: str) -> Run | None:
    runs = shared.store().list_runs(states=(WAITING, RUNNING), owner=visitor)
    return runs[0] if runs else None


@shared.guarded
def start(config: TrainConfig, visitor: str) -> None:
    run = shared.store().submit(config, visitor)
    shared.pool().wake()
    st.query_params["run"] = run.id


@shared.guarded
def stop(run_id: str, visitor: str) -> None:
    shared.store().request_stop(run_id, visitor)


def shown_run(mine: Run | None) -> Run | None:
    """The run to show: the one in the address, or else the visitor's own active one."""
    if wanted := st.query_params.get("run"):
        try:
            return shared.find_run(wanted)
        except RunNotFound as error:
            st.warning(str(error), icon=":material/link_off:")
            del st.query_params["run"]
    if mine:
        st.query_params["run"] = mine.id
    return mine


def live(run_id: str, visitor: str, was_active: bool) -> None:
    """One run: its state, numbers and curves; polled while it is not done."""
    run = shared.find_run(run_id)
    if was_active and not run.active:
        # The page as a whole changes: no more polling, new links, a free button.
        st.rerun()
    reports = shared.curves(run)
    # Each in a box of its own, so that what comes and goes in them does not move the charts
    # to another place on the page: they would be built anew, and blink.
    with st.container():
        show_state(run, visitor)
    with st.container():
        show_numbers(run, reports)
    if reports:
        show_curves(run, reports)


def show_curves(run: Run, reports: list[Progress]) -> None:
    shown = thin(reports, MOST_POINTS)
    left, right = st.columns(2)
    with left:
        st.markdown("**Accuracy**: share of the images read rightly")
        live_chart(
            charts.accuracy_curves(shown, run.config.epochs),
            f"Accuracy over epochs; now {reports[-1].accuracy:.1%} on training batches",
            key=f"accuracy-{run.id}",
        )
    with right:
        st.markdown("**Loss**: how far its answers are from the truth")
        live_chart(
            charts.loss_curves(shown, run.config.epochs),
            f"Loss over epochs; now {reports[-1].loss:.3f} on training batches",
            key=f"loss-{run.id}",
        )


def show_state(run: Run, visitor: str) -> None:
    mine = run.owner == visitor
    if run.state == WAITING:
        before = shared.store().place_in_queue(run.id)
        if before:
            turn = "1 run is" if before == 1 else f"{before} runs are"
            st.info(f"Waiting: {turn} before this one.", icon=":material/hourglass_top:")
        elif shared.pool().problem:
            st.error(shared.pool().problem, icon=":material/error:")
        else:
            st.info(
                "The training process is starting; the first time takes about ten seconds.",
                icon=":material/hourglass_top:",
            )
    elif run.state in (INTERRUPTED, FAILED):
        st.error(run.message, icon=":material/error:")
    if run.active and mine:
        st.button(
            "Stop",
            icon=":material/stop_circle:",
            on_click=stop,
            args=(run.id, visitor),
            disabled=run.stop_requested,
            help="Keeps the network as it is by then, and tests it.",
        )


def show_numbers(run: Run, reports: list[Progress]) -> None:
    if run.state == WAITING:
        return
    last = reports[-1] if reports else None
    validated = [r.validation_accuracy for r in reports if r.validation_accuracy is not None]
    if run.state == RUNNING:
        done = last.epoch / run.config.epochs if last else 0.0
        if run.stop_requested:
            text = "Stopping, then testing …"
        elif done >= 1:
            text = "Testing on the test images, once, and storing the network …"
        elif last:
            text = f"Epoch {last.epoch:.1f} of {run.config.epochs}"
            # The first steps compile the network, and foretell nothing.
            if done > 0.03:
                text += f", about {last.seconds / done * (1 - done):.0f} s left"
        else:
            text = "Compiling the network …"
        st.progress(min(done, 1.0), text=text)
    with st.container(horizontal=True, gap="small"):
        if run.test_accuracy is not None:
            st.metric("Test accuracy", f"{run.test_accuracy:.2%}", border=True, width=154)
        st.metric(
            "Validation",
            f"{validated[-1]:.2%}" if validated else "–",
            border=True,
            width=154,
        )
        st.metric("Batch loss", f"{last.loss:.3f}" if last else "–", border=True, width=154)
        st.metric("Time", f"{last.seconds:.1f} s" if last else "–", border=True, width=154)


st.title("Train a network")
shared.data_notice()
visitor = shared.visitor()
shared.store()
shared.pool().wake()

left, right = st.columns([1, 2], gap="large")
with left:
    try:
        config = settings()
    except InvalidConfig as error:
        st.error(str(error), icon=":material/error:")
        st.stop()
    mine = my_active_run(visitor)
    st.button(
        "Start training",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        on_click=start,
        args=(config, visitor),
        disabled=mine is not None,
        help="One at a time for each visitor." if mine else None,
    )
with right:
    run = shown_run(mine)
    if run is None:
        st.info(
            "Press **Start training**: the curves appear here and move while the network learns. "
            "You may leave the page meanwhile; it goes on.",
            icon=":material/show_chart:",
        )
        if example := shared.shipped_run(config.preset):
            st.caption(
                f"What to expect: the {example.config.preset} network that came with the app "
                f"reached {example.test_accuracy:.2%} on the test images after "
                f"{example.train_seconds:.0f} s of training."
            )
            show_curves(example, shared.curves(example))
    else:
        st.subheader(f"Run {run.title}" + ("" if run.active else f" · {run.state}"), anchor=False)
        # Keyed on being active, so that the poll ends with the run.
        shared.fragment(live, run_every="500ms" if run.active else None)(
            run.id, visitor, run.active
        )

if run and run.test_accuracy is not None:
    shared.next_step(
        "evaluate", "See where this network is wrong", ":material/grid_on:", run=run.id
    )
    st.page_link(
        "pages/draw.py",
        label="Let it read your handwriting",
        icon=":material/draw:",
        query_params={"run": run.id},
    )
else:
    shared.next_step(
        "evaluate",
        "See where the shipped networks are wrong",
        ":material/grid_on:",
        primary=False,
    )
