"""Sweep: one network trained with several settings, to see which work best."""

import streamlit as st

from mnist_core import sweeps
from mnist_core.analysis import comparison
from mnist_core.config import TrainConfig, words
from mnist_core.errors import RunNotFound
from mnist_core.jobs import forecast
from mnist_core.plots import html, parallel, style
from mnist_core.store.run import (
    FINISHED,
    INTERRUPTED,
    RUNNING,
    WAITING,
    Run,
    Trial,
    chosen,
    ranked,
)
from pages.components import notices, run_picker, teacher
from pages.components.live_chart import cached_figure_json, live_chart
from pages.components.settings import set_all
from pages.components.sweep_settings import choose_settings
from pages.components.waiting import show_waiting, start_button, was_pressed
from pages.components.words import duration, percent
from pages.components.your_name import ask_name, chosen_name, keep_name
from pages.server import limits
from pages.shared import cache, figures, presenter, shell
from pages.shared.visitor import this_visitor

shell.guard("sweep")

POLL = 1.0
STATES = {RUNNING: "training", FINISHED: "done"}


@shell.guarded
def start(configs: list[TrainConfig], visitor: str, name: str) -> None:
    runs = limits.submit_sweep(cache.store(), configs, visitor, name)
    cache.pool().wake()
    st.query_params["sweep"] = runs[0].id


def stop(sweep_id: str, visitor: str) -> None:
    cache.store().stop_sweep(sweep_id, teacher.acting_as(visitor))


def shown_sweep(mine: Run | None) -> list[Trial]:
    """The sweep in the address, or else the visitor's own active one; empty if there is none."""
    wanted = st.query_params.get("sweep") or (mine.sweep if mine else None)
    if not wanted:
        return []
    try:
        trials = cache.store().trials(wanted)
    except RunNotFound as error:
        st.warning(str(error), icon=":material/link_off:")
        st.query_params.pop("sweep", None)
        return []
    st.query_params["sweep"] = wanted
    return trials


def poll(trials: list[Trial]) -> float | None:
    """Seconds between updates; None once the sweep has ended."""
    return POLL if any(trial.run.active for trial in trials) else None


def live(sweep_id: str, visitor: str, polled: float | None) -> None:
    """One sweep: its progress, its runs and their figure; polled until it has ended."""
    trials = cache.store().trials(sweep_id)
    if poll(trials) != polled:
        # The whole page changes: no more polling, and a result.
        st.rerun()
    # Each in a container of its own, as on the Train page, so that the figure keeps its place.
    with st.container():
        if polled:
            show_state(trials, visitor)
    with st.container():
        show_figure(trials)
    with st.container():
        show_table(trials if polled else ranked(trials))


def show_state(trials: list[Trial], visitor: str) -> None:
    active = [trial.run for trial in trials if trial.run.active]
    epochs = sum(trial.run.config.all_epochs for trial in trials)
    seconds = cache.seconds_until_turn(active)
    st.progress(
        min(1.0, sum(trial.epoch for trial in trials) / epochs),
        text=f"{len(trials) - len(active)} of {len(trials)} runs done, about "
        f"{duration(seconds)} of training left",
    )
    waiting = min(
        (run for run in active if run.state == WAITING), key=lambda run: run.order, default=None
    )
    if waiting and not any(run.state == RUNNING for run in active):
        # Between two runs of the sweep the next one waits for a moment; that needs no notice.
        begun = any(trial.run.worker for trial in trials)
        held_up = waiting.losses or cache.pool().problem or cache.runs_ahead_of(waiting)
        if held_up or not begun:
            show_waiting(waiting)
    if teacher.may_change(trials[0].run, visitor):
        shell.button(
            "Stop the sweep",
            "stop_circle",
            stop,
            trials[0].run.sweep,
            visitor,
            disabled=all(run.stop_requested for run in active),
            help="Keeps the networks trained so far; waiting runs are not trained.",
        )


def show_table(trials: list[Trial]) -> None:
    names = sweeps.varied([trial.run.config for trial in trials])
    header = (*map(words, names), "Validation", "State")
    rows = [
        (
            *(sweeps.value_text(trial.run.config, name) for name in names),
            percent(trial.validation_accuracy),
            state(trial),
        )
        for trial in trials
    ]
    st.html(html.table(header, rows))


def state(trial: Trial) -> str:
    if trial.run.state == RUNNING and trial.epoch:
        return f"epoch {trial.epoch:.1f} of {trial.run.config.all_epochs}"
    if trial.run.state == INTERRUPTED and not trial.epoch:
        return "not trained"
    return STATES.get(trial.run.state, trial.run.state)


def show_figure(trials: list[Trial]) -> None:
    """An axis for each setting that varies, and a line for each run that has ended: half-trained
    networks cannot be compared with finished ones."""
    configs = [trial.run.config for trial in trials]
    names = sweeps.varied(configs)
    axes = [(words(name), [sweeps.value_text(each, name) for each in configs]) for name in names]
    ended = [trial for trial in trials if trial.validation_accuracy and not trial.run.active]
    lines = [
        (
            [sweeps.value_text(trial.run.config, name) for name in names],
            trial.validation_accuracy or 0.0,
            sweeps.summary(trial.run.config, names),
        )
        for trial in ended
    ]
    titles = ", ".join(title.lower() for title, _ in axes)
    alt = f"Parallel coordinates: {titles} and validation accuracy, with a line for each run"
    if ended:
        best = ranked(ended)[0]
        alt += f". The best of {len(ended)} is {sweeps.summary(best.run.config, names)}"
        alt += f" with {percent(best.validation_accuracy)}"
    st.markdown("**Settings and their validation accuracy**: the more orange, the better")
    dark = figures.dark()
    live_chart(
        cached_figure_json(
            ("sweep", dark, str(axes), str(lines)),
            lambda: parallel.parallel_coordinates(axes, lines, dark),
        ),
        alt,
        key=f"sweep-figure-{trials[0].run.sweep}",
    )


def show_result(trials: list[Trial], best: Trial) -> None:
    """How good the best run is, and how sure it is that it is the best."""
    accuracy = best.validation_accuracy or 0.0
    images = best.run.validation_images
    others = [trial.validation_accuracy or 0.0 for trial in trials if trial is not best]
    (low, high), level = comparison.level_with_best(accuracy, others, images)
    with st.container(horizontal=True, gap="small"):
        st.metric("Validation", percent(accuracy), border=True, width=150)
        st.metric("Test accuracy", percent(best.run.test_accuracy), border=True, width=150)
    run_picker.warn_of_guessing(best.run, accuracy, images, "validation")
    rivals = "No other run's validation accuracy is within it."
    if level:
        rivals = f"{style.counted(level, 'other run')} within it may be just as good."
    st.write(
        f"95% confidence interval from about {images:,} validation images: {low:.2%} to "
        f"{high:.2%}. {rivals} The best of {len(trials)} looks better than it is because it was "
        "chosen by this number. Its test accuracy is fair as long as nothing is chosen by it."
    )


def show_invitation() -> None:
    how = (
        "Leave presenter mode to start one."
        if presenter.is_on()
        else "Press **Start the sweep**: each run becomes a line here. You can leave this page; "
        "training continues."
    )
    st.info(
        "A sweep trains one network several times, each time with different settings, to see which "
        f"work best. {how}",
        icon=":material/tune:",
    )


def show_sweep(trials: list[Trial], visitor: str) -> Trial | None:
    """The sweep, and its best run once it has ended with one."""
    sweep_id, often = trials[0].run.sweep, poll(trials)
    best = None if often else chosen(trials)
    names = sweeps.varied([trial.run.config for trial in trials])
    heading = f"{style.counted(len(trials), 'run')} of {trials[0].run.config.preset}"
    note = f"Sweep · {run_picker.title(trials[0].run)}"
    if best and names:
        note += f" · {heading}"
        heading = f"Best on the validation images: {sweeps.summary(best.run.config, names)}"
    st.subheader(heading, anchor=False)
    st.caption(note)
    # Always one container, so that the figure below stays the same element.
    with st.container():
        if best:
            show_result(trials, best)
        elif not often:
            st.error(
                "No run of this sweep ended with a network. "
                + next((trial.run.message for trial in trials if trial.run.message), ""),
                icon=":material/error:",
            )
    shell.fragment(live, run_every=often)(sweep_id, visitor, often)
    return best


st.title("Try several settings")
notices.data_notice()
visitor = this_visitor()
cache.store()
cache.pool().wake()

left, right = presenter.columns([1, 2])
with left, presenter.hidden_when_presenting("sweep_form"):
    configs = choose_settings()
    place = st.container()
    with place:
        ask_name()
        if was_pressed() and configs:
            start(configs, visitor, chosen_name())
    _, mine = cache.active_run_and_sweep(visitor)
    if configs:
        seconds = forecast.sweep_seconds(
            configs,
            cache.store().list_runs(states=(FINISHED,)),
            cache.pool().limit,
            len(cache.dataset().x_train),
        )
        place.caption(
            f"{style.counted(len(configs), 'run')}, about {duration(seconds)} in all; longer "
            "while others train, because their runs go first."
        )
    busy = "One sweep at a time for each visitor." if mine else ""
    start_button(place, "Start the sweep", ready=bool(configs), busy=busy)
with right:
    trials = shown_sweep(mine)
    best = show_sweep(trials, visitor) if trials else None
    if not trials:
        show_invitation()

if best:
    st.space("small")
    if st.button(
        "Train with these settings",
        type="primary",
        icon=shell.ICONS["train"],
        key="next_step",
        on_click=set_all,
        args=(best.run.config,),
    ):
        st.switch_page("pages/train.py", query_params=best.run.config.to_query())
    notices.link("evaluate", "See where the best network is wrong", run=best.run.id)
    trained = [trial.run.id for trial in ranked(trials) if trial.run.trained]
    shown = ",".join(trained[: run_picker.MOST_OVERLAID])
    notices.link("compare", "Compare their curves", runs=shown)
else:
    notices.next_step("train", "Train a single network", primary=False)
teacher.show(visitor)
keep_name()
