"""Train: settings, a button, and curves that move until the network is done."""

import dataclasses
from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

from mnist_core import shipped
from mnist_core.config import LIMITS, TrainConfig, describe
from mnist_core.data import Dataset
from mnist_core.errors import RunNotFound
from mnist_core.jobs import forecast
from mnist_core.plots import curves
from mnist_core.progress import Progress, epoch_ends, steps_per_second, thin
from mnist_core.store.run import (
    ACTIVE,
    FAILED,
    FINISHED,
    INTERRUPTED,
    RUNNING,
    WAITING,
    Run,
    queue_place,
)
from pages.components import notices, run_picker, teacher
from pages.components.live_chart import cached_figure_json, live_chart
from pages.components.settings import begin_anew, settings
from pages.components.waiting import duration, show_waiting
from pages.server import limits
from pages.shared import cache, presenter, shell
from pages.shared import visitor as visitor_module

shell.guard("train")

MOST_POINTS = 300
# The owner of a running training sees it move; thirty who watch it, or wait, cost the
# server no more than a few such.
POLL_MINE, POLL_OTHERS = 0.2, 1.0


@shell.guarded
def start(config: TrainConfig, visitor: str) -> None:
    """Called once the settings are read: a callback would be given those before the last
    change, which a press may bring along."""
    run = limits.submit(cache.store(), config, visitor)
    cache.pool().wake()
    st.query_params["run"] = run.id


@shell.guarded
def resume(run_id: str, visitor: str, more_key: str = "") -> None:
    """The number of more epochs is read by its key, for the same reason."""
    more_epochs = int(st.session_state[more_key]) if more_key else 0
    limits.resume(cache.store(), run_id, visitor, teacher.acting_as(visitor), more_epochs)
    cache.pool().wake()


@shell.guarded
def stop(run_id: str, visitor: str) -> None:
    cache.store().request_stop(run_id, teacher.acting_as(visitor))


def shown_run(mine: Run | None) -> Run | None:
    """The run to show: the one in the address, or else the visitor's own active one."""
    if wanted := st.query_params.get("run"):
        try:
            return cache.find_run(wanted)
        except RunNotFound as error:
            st.warning(str(error), icon=":material/link_off:")
            del st.query_params["run"]
    if mine:
        st.query_params["run"] = mine.id
    return mine


def poll(run: Run, visitor: str) -> float | None:
    """Seconds between two looks at a run; None once it has ended."""
    if not run.active:
        return None
    if run.owner != visitor:
        return POLL_OTHERS
    # Of several workers each has a run; what others train matters only to one that waits.
    moving = run.state == RUNNING or not cache.store().runs_ahead_of(run)
    return POLL_MINE if moving else POLL_OTHERS


def live(run_id: str, visitor: str, polled: float | None) -> None:
    """One run: its state, numbers and curves; polled while it is not done."""
    run = cache.find_run(run_id)
    if poll(run, visitor) != polled:
        # The page as a whole changes: another poll or none, new links, a free button.
        st.rerun()
    # Thirty who look on see the same moment, drawn once.
    reports = cache.curves(run, 0.0 if run.owner == visitor else 1.0)
    # Each in a box of its own, so that what comes and goes in them does not move the charts
    # to another place on the page: they would be built anew, and blink.
    with st.container():
        show_state(run, visitor)
    with st.container():
        show_numbers(run, reports)
        if run.test_accuracy is not None and not run.active:
            images = Dataset.test_images_in(run.dataset)
            run_picker.warn_of_guessing(run, run.test_accuracy, images, "test")
    if reports:
        show_curves(run, reports)


def show_curves(run: Run, reports: list[Progress]) -> None:
    epochs = run.config.all_epochs

    def figure(draw: Callable[[list[Progress], int], go.Figure]) -> str:
        now = (*cache.state_of(run), run.turn, run.worker, len(reports), epochs)
        return cached_figure_json(
            (draw.__name__, *now), lambda: draw(thin(reports, MOST_POINTS), epochs)
        )

    left, right = st.columns(2)
    with left:
        st.markdown("**Accuracy**: share of images classified correctly")
        live_chart(
            figure(curves.accuracy_curves),
            f"Accuracy over epochs; now {reports[-1].accuracy:.1%} on training batches",
            key=f"accuracy-{run.id}",
        )
    with right:
        st.markdown("**Loss**: how wrong the answers are (lower is better)")
        live_chart(
            figure(curves.loss_curves),
            f"Loss over epochs; now {reports[-1].loss:.3f} on training batches",
            key=f"loss-{run.id}",
        )
    with presenter.hidden_when_presenting("rate"):
        st.markdown("**Learning rate**: how large each update is")
        live_chart(
            figure(curves.learning_rate_curve),
            f"Learning rate over epochs; now {reports[-1].learning_rate:.2g}",
            key=f"rate-{run.id}",
        )


def show_state(run: Run, visitor: str) -> None:
    if run.state == WAITING:
        show_waiting(run)
    elif run.state in (INTERRUPTED, FAILED):
        st.error(run.message, icon=":material/error:")
    if not teacher.may_change(run, visitor):
        return
    if run.active:
        st.button(
            "Stop",
            icon=":material/stop_circle:",
            on_click=stop,
            args=(run.id, visitor),
            disabled=run.stop_requested,
            help="Keeps the network as it is by then, and tests it.",
        )
    elif run.resumable:
        st.button(
            "Resume",
            icon=":material/resume:",
            on_click=resume,
            args=(run.id, visitor),
            help="Goes on from where it stood, to the very network it would have become.",
        )
    elif run.state == FAILED:
        gentler(run)
    elif run.state == FINISHED:
        go_on(run, visitor)


def gentler(run: Run) -> None:
    """For a run that failed: the same again with a tenth of its learning rate."""
    rate = max(LIMITS["learning_rate"][0], run.config.learning_rate / 10)
    st.button(
        f"Set the learning rate to {rate:g}",
        icon=":material/undo:",
        on_click=begin_anew,
        args=(dataclasses.replace(run.config, learning_rate=rate),),
    )


def go_on(run: Run, visitor: str) -> None:
    """For a finished run: more epochs, if it may have any."""
    most = int(LIMITS["epochs"][1]) - run.config.all_epochs
    if most < 1:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        key = f"more-{run.id}"
        st.number_input("More epochs", 1, most, min(4, most), key=key, width=150)
        st.button(
            "Continue training",
            icon=":material/resume:",
            on_click=resume,
            args=(run.id, visitor, key),
            help="The learning rate restarts; the network continues from what it has learned.",
        )


def show_numbers(run: Run, reports: list[Progress]) -> None:
    if not reports and run.state != RUNNING:
        return
    last = reports[-1] if reports else None
    if run.state == RUNNING:
        show_progress(run, reports)
    ends = epoch_ends(reports)
    numbers = {
        "Validation": f"{ends[-1].validation_accuracy:.2%}" if ends else "–",
        "Batch accuracy": f"{last.accuracy:.1%}" if last else "–",
        "Batch loss": f"{last.loss:.3f}" if last else "–",
        "Time": f"{last.seconds:.1f} s" if last else "–",
    }
    if run.test_accuracy is not None and not run.active:
        del numbers["Batch accuracy"]
        numbers = {"Test accuracy": f"{run.test_accuracy:.2%}"} | numbers
    with st.container(horizontal=True, gap="small"):
        for label, value in numbers.items():
            st.metric(label, value, border=True, width=150)


def show_progress(run: Run, reports: list[Progress]) -> None:
    epochs = run.config.all_epochs
    done = reports[-1].epoch / epochs if reports else 0.0
    if run.stop_requested:
        text = "Stopping, then testing …"
    elif done >= 1:
        text = "Testing on the test images, once, and storing the network …"
    elif reports:
        text = f"Epoch {reports[-1].epoch:.1f} of {epochs}"
        seconds = forecast.seconds_left(run.config, reports)
        # The first steps compile the network, and foretell nothing.
        if seconds is not None and done > 0.03:
            text += f", about {duration(seconds)} left"
        if pace := steps_per_second(reports):
            images = pace * run.config.batch_size
            text += f" · {pace:,.0f} steps and {images:,.0f} images a second"
    else:
        text = "Compiling the network …"
    st.progress(min(done, 1.0), text=text)


def show_queue(visitor: str) -> None:
    """For the teacher: all that waits or runs, each with a way to stop it."""
    runs = sorted(cache.store().list_runs(states=ACTIVE), key=queue_place)
    if not runs:
        st.write("No run is waiting or running.")
    for run in runs:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                f"Stop {run.id}",
                icon=":material/stop_circle:",
                key=f"teacher-stop-{run.id}",
                on_click=stop,
                args=(run.id, visitor),
                disabled=run.stop_requested,
            )
            # A name is a visitor's text, and no markdown.
            st.text(f"{run.state}: {run.label} · {run.id}")


st.title("Train a network")
notices.data_notice()
visitor = visitor_module.visitor()
cache.store()
cache.pool().wake()

left, right = presenter.columns([1, 2])
with left:
    config, place = settings()
    if st.session_state.pop("start_pressed", False) and config:
        with place:
            start(config, visitor)
    mine, sweeping = cache.active_run_and_sweep(visitor)
    place.button(
        "Start training",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        on_click=lambda: st.session_state.update(start_pressed=True),
        disabled=mine is not None or config is None,
        help="One run at a time for each visitor." if mine else None,
    )
    sweep_id = sweeping.sweep if sweeping else None
    place.page_link(
        "pages/sweep.py",
        label="Your sweep goes on" if sweep_id else "Try several settings at once",
        icon=":material/tune:",
        query_params={"sweep": sweep_id} if sweep_id else None,
    )
with right:
    run = shown_run(mine or sweeping)
    if run is None:
        st.info(
            "Press **Start training**: the curves appear here and move while the network learns. "
            "You can leave this page; training continues.",
            icon=":material/show_chart:",
        )
        if example := shipped.shipped_runs().get(config.preset if config else cache.BEST):
            expected = (
                f"What to expect: the {example.config.preset} network that came with the app "
                f"reached {example.test_accuracy:.2%} on the test images after "
                f"{example.train_seconds:.0f} s of training."
            )
            if cache.has_learned_the_sample(example):
                expected += (
                    " It was trained on all of MNIST; with the 4,000 images here expect less."
                )
            st.caption(expected)
            show_curves(example, cache.curves(example))
    else:
        st.subheader(f"Run {run.title}" + ("" if run.active else f" · {run.state}"), anchor=False)
        st.caption(describe(run.config))
        # The poll ends with the run.
        often = poll(run, visitor)
        shell.fragment(live, run_every=often)(run.id, visitor, often)

if run and run.trained:
    notices.next_step(
        "evaluate", "See where this network is wrong", ":material/grid_on:", run=run.id
    )
    for page, label, icon in (
        ("draw", "Let it read your handwriting", ":material/draw:"),
        ("compare", "Compare it with others, name it, download it", ":material/compare_arrows:"),
    ):
        st.page_link(f"pages/{page}.py", label=label, icon=icon, query_params={"run": run.id})
else:
    notices.next_step(
        "evaluate",
        "See where the built-in networks go wrong",
        ":material/grid_on:",
        primary=False,
    )
if run and run.sweep:
    st.page_link(
        "pages/sweep.py",
        label="See the sweep that it belongs to",
        icon=":material/tune:",
        query_params={"sweep": run.sweep},
    )
teacher.show(visitor, lambda: shell.fragment(show_queue, run_every=2.0)(visitor))
