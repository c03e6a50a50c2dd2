"""Train: settings, a button, and curves that grow until the network is trained."""

import contextlib
import dataclasses

import streamlit as st

from mnist_core.config import LIMITS, TrainConfig
from mnist_core.errors import InvalidConfig, RunNotFound
from mnist_core.progress import Progress
from mnist_core.store.run import (
    FAILED,
    FINISHED,
    INTERRUPTED,
    RUNNING,
    WAITING,
    Run,
)
from pages.components import live_run, notices, run_picker, settings, teacher
from pages.components.waiting import show_waiting, start_button, was_pressed
from pages.components.your_name import ask_name, chosen_name, keep_name
from pages.server import limits
from pages.shared import cache, presenter, shell
from pages.shared.visitor import this_visitor

shell.guard("train")

# Seconds between updates. Only the owner sees every step: thirty onlookers cost the server no
# more than a few owners.
POLL_MINE, POLL_OTHERS = 0.2, 1.0


@shell.guarded
def start(config: TrainConfig, visitor: str, name: str) -> None:
    run = limits.submit(cache.store(), config, visitor, name)
    cache.pool().wake()
    st.query_params["run"] = run.id
    # The curves are the page now.
    st.session_state.pop(settings.OPEN, None)


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


def live(run_id: str, preset: str, visitor: str, polled: float | None) -> None:
    """One run: its state, curves and numbers; polled until it has ended. Without a run, what to
    expect of one of this preset."""
    run, reports = None, list[Progress]()
    if run_id:
        # All onlookers see the same moment, drawn once.
        run, reports = cache.watch(run_id, 1.0 if polled == POLL_OTHERS else 0.0)
        if poll(run, visitor) != polled:
            # The whole page changes: the polling, the links, the start button.
            st.rerun()
    # Each in a container of its own, so that what comes and goes in them does not change the
    # position of the charts: Streamlit would rebuild them, and they would blink.
    with st.container(
        key="run_state", horizontal=True, wrap=False, vertical_alignment="center", gap="small"
    ):
        show_state(run, reports, visitor)
    example = None if reports else live_run.example_for(preset)
    shown, points = (example, cache.curves(example)) if example else (run, reports)
    label = f"Example: the built-in {example.id} network" if example else ""
    with st.container():
        if shown and points:
            reveal = run.id if run and run.active else ""
            live_run.show_curves(shown, points, label=label, reveal=reveal)
    # Below the curves, which are what people came to see.
    with st.container():
        if run:
            live_run.show_numbers(run, reports)
            if run.test_accuracy is not None and not run.active:
                images = run.test_images or 0
                run_picker.warn_of_guessing(run, run.test_accuracy, images, "test")
        if example:
            st.caption(live_run.expectation(example))
    with presenter.hidden_when_presenting("rate"):
        if shown and points:
            live_run.show_learning_rate(shown, points, label=label)


def show_state(run: Run | None, reports: list[Progress], visitor: str) -> None:
    """One row: how far the run is, or why it ended, and what can be done about it."""
    if run is None:
        st.info(
            "Press **Start training**: the curves appear here and grow while the network learns. "
            "You can leave this page; training continues.",
            icon=":material/show_chart:",
        )
        return
    if run.state == RUNNING:
        live_run.show_progress(run, reports)
    elif run.state == WAITING:
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
    shell.button(f"Set the learning rate to {rate:g}", "undo", settings.edit, config)


def offer_more_epochs(run: Run, visitor: str) -> None:
    """For a finished run, if it may have any."""
    most = int(LIMITS["epochs"][1]) - run.config.all_epochs
    if most < 1:
        return
    key = f"more-{run.id}"
    st.number_input("More epochs", 1, most, min(4, most), key=key, width=150)
    what = "The learning rate restarts; the network continues from what it has learned."
    shell.button("Continue training", "resume", resume, run.id, visitor, key, help=what)


def show_settings(run: Run | None, mine: Run | None, sweeping: Run | None) -> None:
    """The settings, open or in one line, and the start button."""
    busy = "One run at a time for each visitor." if mine else ""
    if settings.are_open(run_shown=run is not None):
        with st.container(key="settings_open"):
            can_close = run is not None or presenter.is_on()
            config, place = settings.settings(can_close=can_close)
        with place:
            ask_name()
        ready = config is not None
        start_button(place, "Start training", ready=ready, busy=busy, width="content")
        with place:
            link_to_sweep(sweeping)
        return
    config = settings.chosen()
    settings.write_address(config)
    # What was open before is hidden by its class (look.css) until the whole page has arrived.
    with st.container(key="settings_line", horizontal=True, vertical_alignment="center"):
        if run:
            state = "" if run.active else f" · {run.state}"
            st.subheader(f"{run_picker.title(run)}{state}", anchor=False, width="content")
        settings.line(run.config if run else config)
        if sweeping:
            link_to_sweep(sweeping)
        if not mine:
            place = st.container(width="content")
            start_button(place, "Start training", ready=True, busy="", width="content")


def link_to_sweep(sweeping: Run | None) -> None:
    if sweeping and sweeping.sweep:
        notices.link("sweep", "Your sweep is training", sweep=sweeping.sweep)
    else:
        notices.link("sweep", "Try several settings at once")


visitor = this_visitor(remember=False)
# What comes and goes in here does not change the position of the charts.
top = st.container()
with top:
    st.title("Train a network")
    notices.data_notice()
    # Without a database there is nothing more to show.
    cache.store()
    cache.pool().wake()
    mine, sweeping = cache.active_run_and_sweep(visitor)
    run = shown_run(mine or sweeping)
    settings.arrive(run.config if run else None)
    if was_pressed():
        with contextlib.suppress(InvalidConfig):
            # Invalid settings have their sentence next to the widgets.
            start(settings.chosen(), visitor, chosen_name())
        mine, sweeping = cache.active_run_and_sweep(visitor)
        run = shown_run(mine or sweeping)
with st.container():
    show_settings(run, mine, sweeping)
seconds = poll(run, visitor) if run else None
preset = run.config.preset if run else st.session_state["settings"].preset
shell.fragment(live, run_every=seconds)(run.id if run else "", preset, visitor, seconds)

with presenter.hidden_when_presenting("links"):
    if run and run.trained:
        notices.next_step("evaluate", "See where this network is wrong", run=run.id)
        notices.link("draw", "Let it read your handwriting", run=run.id)
        notices.link("compare", "Compare it with others, name it, download it", run=run.id)
    else:
        notices.next_step("evaluate", "See where the built-in networks go wrong", primary=False)
    if run and run.sweep:
        notices.link("sweep", "See the sweep this run belongs to", sweep=run.sweep)
    # Last, because they take a place on the page, if only on the first visit.
    this_visitor()
    keep_name()
teacher.show(visitor, teacher.show_queue)
