"""Train: settings, a button, and curves that grow until the network is trained."""

import dataclasses
from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

from mnist_core import shipped
from mnist_core.config import LIMITS, TrainConfig, describe
from mnist_core.errors import RunNotFound
from mnist_core.jobs import forecast
from mnist_core.plots import curves
from mnist_core.progress import Progress, epoch_ends, steps_per_second, thin
from mnist_core.store.run import (
    FAILED,
    FINISHED,
    INTERRUPTED,
    RUNNING,
    WAITING,
    Run,
)
from pages.components import notices, run_picker, teacher
from pages.components.live_chart import cached_figure_json, live_chart
from pages.components.settings import set_all, settings
from pages.components.waiting import show_waiting, start_button, was_pressed
from pages.components.words import NONE, duration
from pages.components.your_name import ask_name
from pages.server import limits
from pages.shared import cache, presenter, shell
from pages.shared.visitor import this_visitor

shell.guard("train")

MOST_POINTS = 300
# Seconds between updates. Only the owner sees every step: thirty onlookers cost the server no
# more than a few owners.
POLL_MINE, POLL_OTHERS = 0.2, 1.0
Draw = Callable[[list[Progress], int], go.Figure]


@shell.guarded
def start(config: TrainConfig, visitor: str, name: str) -> None:
    run = limits.submit(cache.store(), config, visitor, name)
    cache.pool().wake()
    st.query_params["run"] = run.id


def resume(run_id: str, visitor: str, more_key: str = "") -> None:
    # An argument would be what the box held when it was shown.
    more_epochs = int(st.session_state[more_key]) if more_key else 0
    limits.resume(cache.store(), run_id, visitor, teacher.acting_as(visitor), more_epochs)
    cache.pool().wake()


def shown_run(mine: Run | None) -> Run | None:
    """The run in the address, or else the visitor's own active one."""
    if wanted := st.query_params.get("run"):
        try:
            return cache.watch(wanted)[0]
        except RunNotFound as error:
            st.warning(str(error), icon=":material/link_off:")
            del st.query_params["run"]
    if mine:
        st.query_params["run"] = mine.id
    return mine


def poll(run: Run, visitor: str) -> float | None:
    """Seconds between updates; None once the run has ended."""
    if not run.active:
        return None
    if run.owner != visitor:
        return POLL_OTHERS
    # With several workers, runs ahead matter only to one that waits.
    moving = run.state == RUNNING or not cache.runs_ahead_of(run)
    return POLL_MINE if moving else POLL_OTHERS


def live(run_id: str, visitor: str, polled: float | None) -> None:
    """One run: its state, numbers and curves; polled until it has ended."""
    # All onlookers see the same moment, drawn once.
    run, reports = cache.watch(run_id, 1.0 if polled == POLL_OTHERS else 0.0)
    if poll(run, visitor) != polled:
        # The whole page changes: the polling, the links, the start button.
        st.rerun()
    # Each in a container of its own, so that what comes and goes in them does not change the
    # position of the charts: Streamlit would rebuild them, and they would blink.
    with st.container():
        if run.state == RUNNING:
            show_progress(run, reports)
        show_state(run, visitor)
    with st.container():
        if reports:
            show_curves(run, reports)
    # Below the curves, which are what people came to see.
    with st.container():
        show_numbers(run, reports)
        if run.test_accuracy is not None and not run.active:
            images = run.test_images or 0
            run_picker.warn_of_guessing(run, run.test_accuracy, images, "test")


def show_curves(run: Run, reports: list[Progress]) -> None:
    epochs, last = run.config.all_epochs, reports[-1]
    state = (*cache.state_of(run), run.turn, run.worker, len(reports), epochs)

    def show(title: str, meaning: str, draw: Draw, now: str) -> None:
        st.markdown(f"**{title}**: {meaning}")
        figure = cached_figure_json(
            (title, *state), lambda: draw(thin(reports, MOST_POINTS), epochs)
        )
        live_chart(figure, f"{title} over epochs; now {now}", key=f"{title.lower()}-{run.id}")

    left, right = st.columns(2)
    with left:
        now = f"{last.accuracy:.1%} on training batches"
        show("Accuracy", "share of images classified correctly", curves.accuracy_curves, now)
    with right:
        now = f"{last.loss:.3f} on training batches"
        show("Loss", "how wrong the answers are (lower is better)", curves.loss_curves, now)
    with presenter.hidden_when_presenting("rate"):
        now = f"{last.learning_rate:.2g}"
        show("Learning rate", "how large each update is", curves.learning_rate_curve, now)


def show_state(run: Run, visitor: str) -> None:
    if run.state == WAITING:
        show_waiting(run)
    elif run.state in (INTERRUPTED, FAILED):
        st.error(run.message, icon=":material/error:")
    if not teacher.may_change(run, visitor):
        return
    if run.active:
        what = "Keeps the network as it is at that moment and tests it."
        stopping = run.stop_requested
        shell.button(
            "Stop", "stop_circle", teacher.stop, run.id, visitor, disabled=stopping, help=what
        )
    elif run.resumable:
        what = "Continues where it stopped, to the same network as without the interruption."
        shell.button("Resume", "resume", resume, run.id, visitor, help=what)
    elif run.state == FAILED:
        offer_lower_rate(run)
    elif run.state == FINISHED:
        offer_more_epochs(run, visitor)


def offer_lower_rate(run: Run) -> None:
    """For a run that failed: the same settings with a tenth of its learning rate."""
    rate = max(LIMITS["learning_rate"][0], run.config.learning_rate / 10)
    config = dataclasses.replace(run.config, learning_rate=rate)
    shell.button(f"Set the learning rate to {rate:g}", "undo", set_all, config)


def offer_more_epochs(run: Run, visitor: str) -> None:
    """For a finished run, if it may have any."""
    most = int(LIMITS["epochs"][1]) - run.config.all_epochs
    if most < 1:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        key = f"more-{run.id}"
        st.number_input("More epochs", 1, most, min(4, most), key=key, width=150)
        what = "The learning rate restarts; the network continues from what it has learned."
        shell.button("Continue training", "resume", resume, run.id, visitor, key, help=what)


def show_numbers(run: Run, reports: list[Progress]) -> None:
    if not reports and run.state != RUNNING:
        return
    last = reports[-1] if reports else None
    ends = epoch_ends(reports)
    numbers = {
        "Validation": f"{ends[-1].validation_accuracy:.2%}" if ends else NONE,
        "Batch accuracy": f"{last.accuracy:.1%}" if last else NONE,
        "Batch loss": f"{last.loss:.3f}" if last else NONE,
        "Time": f"{last.seconds:.1f} s" if last else NONE,
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
        text = "Testing once on the test images and storing the network …"
    elif reports:
        text = f"Epoch {reports[-1].epoch:.1f} of {epochs}"
        seconds = forecast.seconds_left(run.config, reports)
        # The first steps compile the network, so their time predicts nothing.
        if seconds is not None and done > 0.03:
            text += f", about {duration(seconds)} left"
        if pace := steps_per_second(reports):
            images = pace * run.config.batch_size
            text += f" · {pace:,.0f} steps and {images:,.0f} images a second"
    else:
        text = "Compiling the network …"
    st.progress(min(done, 1.0), text=text)


def show_invitation(preset: str) -> None:
    """What to press, and the curves of a built-in network to expect."""
    st.info(
        "Press **Start training**: the curves appear here and grow while the network learns. "
        "You can leave this page; training continues.",
        icon=":material/show_chart:",
    )
    example = shipped.shipped_runs().get(preset)
    if not example:
        return
    expected = (
        f"What to expect: the built-in {preset} network reached {example.test_accuracy:.2%} on the "
        f"test images after {example.train_seconds:.0f} s of training."
    )
    if cache.has_learned_the_sample(example):
        expected += " It was trained on all of MNIST; with the 4,000 images here expect less."
    st.caption(expected)
    show_curves(example, cache.curves(example))


st.title("Train a network")
notices.data_notice()
visitor = this_visitor()
cache.store()
cache.pool().wake()

left, right = presenter.columns([1, 2])
with left:
    config, place = settings()
    with place:
        name = ask_name()
        if was_pressed() and config:
            start(config, visitor, name)
    mine, sweeping = cache.active_run_and_sweep(visitor)
    busy = "One run at a time for each visitor." if mine else ""
    start_button(place, "Start training", ready=config is not None, busy=busy)
    with place:
        if sweeping and sweeping.sweep:
            notices.link("sweep", "Your sweep is training", sweep=sweeping.sweep)
        else:
            notices.link("sweep", "Try several settings at once")
with right:
    run = shown_run(mine or sweeping)
    if run is None:
        show_invitation(config.preset if config else cache.BEST)
    else:
        st.subheader(
            run_picker.title(run) + ("" if run.active else f" · {run.state}"), anchor=False
        )
        st.caption(describe(run.config))
        seconds = poll(run, visitor)
        shell.fragment(live, run_every=seconds)(run.id, visitor, seconds)

if run and run.trained:
    notices.next_step("evaluate", "See where this network is wrong", run=run.id)
    notices.link("draw", "Let it read your handwriting", run=run.id)
    notices.link("compare", "Compare it with others, name it, download it", run=run.id)
else:
    notices.next_step("evaluate", "See where the built-in networks go wrong", primary=False)
if run and run.sweep:
    notices.link("sweep", "See the sweep this run belongs to", sweep=run.sweep)
teacher.show(visitor, teacher.show_queue)
