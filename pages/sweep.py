"""Sweep: one network with several settings, side by side, and which of them served it best."""

import dataclasses
from typing import Any

import streamlit as st

from mnist_core import sweeps
from mnist_core.analysis import metrics
from mnist_core.config import PRESETS, TrainConfig, to_text, words
from mnist_core.errors import InvalidConfig, RunNotFound
from mnist_core.jobs import forecast
from mnist_core.plots import html, parallel, style
from mnist_core.store.run import (
    FAILED,
    FINISHED,
    INTERRUPTED,
    RUNNING,
    STOPPED,
    WAITING,
    Run,
    Trial,
    chosen,
    ranked,
)
from pages.components import notices, run_picker, teacher
from pages.components.live_chart import cached_figure_json, live_chart
from pages.components.settings import begin_anew
from pages.components.waiting import duration, show_waiting
from pages.server import limits
from pages.shared import cache, presenter, shell
from pages.shared import visitor as visitor_module

shell.guard("sweep")

POLL = 1.0
# Six runs of a few seconds each.
FIRST_TRIED = ("learning_rate", "batch_size")
FIRST_VALUES: dict[str, tuple[Any, ...]] = {
    "learning_rate": (0.002, 0.006, 0.02),
    "batch_size": (64, 256),
}
FIRST_EPOCHS, MOST_EPOCHS = 2, 8
METHODS = {sweeps.GRID: "All", sweeps.RANDOM: "Random subset"}
STATES = {
    WAITING: "waits",
    RUNNING: "trains",
    FINISHED: "done",
    STOPPED: "stopped",
    INTERRUPTED: "interrupted",
    FAILED: "failed",
}
# Compare draws no more.
MOST_OVERLAID = 6


@shell.guarded
def start(configs: list[TrainConfig], visitor: str) -> None:
    """Called once the settings are read, as on the Train page."""
    runs = limits.submit_sweep(cache.store(), configs, visitor)
    cache.pool().wake()
    st.query_params["sweep"] = runs[0].id


@shell.guarded
def stop(sweep_id: str, visitor: str) -> None:
    cache.store().stop_sweep(sweep_id, teacher.acting_as(visitor))


def choose() -> list[TrainConfig]:
    """What is to be tried, as widgets; empty, with a sentence on the page, if that cannot be."""
    preset = st.segmented_control(
        "Network", list(PRESETS), default="classic", key="sweep_preset", required=True
    )
    tried = st.multiselect(
        "Settings to try",
        list(sweeps.SUGGESTED),
        default=list(FIRST_TRIED),
        max_selections=sweeps.MOST_SETTINGS,
        format_func=words,
        key="sweep_settings",
    )
    choices = {name: choose_values(name) for name in tried}
    base = PRESETS[preset]
    if "epochs" not in choices:
        epochs = st.slider("Epochs of each run", 1, MOST_EPOCHS, FIRST_EPOCHS, key="sweep_epochs")
        base = dataclasses.replace(base, epochs=epochs)
    method: str = st.segmented_control(
        "Combinations",
        list(METHODS),
        default=sweeps.GRID,
        format_func=METHODS.__getitem__,
        key="sweep_method",
        required=True,
        help=f"At most {sweeps.MOST_RUNS} runs. Of more combinations, try a random subset.",
    )
    count, seed = 6, 0
    if method == sweeps.RANDOM:
        with st.container(horizontal=True):
            count = st.number_input("Runs", 2, sweeps.MOST_RUNS, 6, key="sweep_count", width=120)
            seed = st.number_input("Seed", 0, 9999, 0, key="sweep_seed", width=120)
    try:
        return sweeps.settings(sweeps.Sweep(base, choices, method, count, seed))
    except InvalidConfig as error:
        st.error(str(error), icon=":material/error:")
        return []


def choose_values(name: str) -> tuple[Any, ...]:
    values = {to_text(name, value): value for value in sweeps.SUGGESTED[name]}
    start = FIRST_VALUES.get(name, sweeps.SUGGESTED[name][:2])
    picked = st.multiselect(
        words(name),
        list(values),
        default=[to_text(name, value) for value in start],
        key=f"sweep_{name}",
    )
    return tuple(values[text] for text in values if text in picked)


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
    """Seconds between two looks at a sweep; None once it has ended."""
    return POLL if any(trial.run.active for trial in trials) else None


def live(sweep_id: str, visitor: str, polled: float | None) -> None:
    """One sweep: how far it is, its runs and their figure; polled while it is not done."""
    trials = cache.store().trials(sweep_id)
    if poll(trials) != polled:
        # The page as a whole changes: no poll any more, and a verdict.
        st.rerun()
    # Each in a box of its own, as on the Train page, so that the figure keeps its place.
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
        text=f"{len(trials) - len(active)} of {len(trials)} runs are done, about "
        f"{duration(seconds)} of training left",
    )
    waiting = min(
        (run for run in active if run.state == WAITING), key=lambda run: run.order, default=None
    )
    if waiting and not any(run.state == RUNNING for run in active):
        # Between two runs of the sweep the next one waits for a moment, not worth a word.
        begun = any(trial.run.worker for trial in trials)
        held_up = waiting.losses or cache.pool().problem or cache.runs_ahead_of(waiting)
        if held_up or not begun:
            show_waiting(waiting)
    if teacher.may_change(trials[0].run, visitor):
        st.button(
            "Stop the sweep",
            icon=":material/stop_circle:",
            on_click=stop,
            args=(trials[0].run.sweep, visitor),
            disabled=all(run.stop_requested for run in active),
            help="Keeps what is trained; what waits is not trained.",
        )


def show_table(trials: list[Trial]) -> None:
    names = sweeps.varied([trial.run.config for trial in trials])
    header = ("Run", *map(words, names), "Validation", "State")
    rows = [
        (
            trial.run.id,
            *(sweeps.value_text(trial.run.config, name) for name in names),
            percent(trial.validation_accuracy),
            state(trial),
        )
        for trial in trials
    ]
    st.html(html.table(header, rows))


def state(trial: Trial) -> str:
    """In words, with how far it is while it trains."""
    if trial.run.state == RUNNING and trial.epoch:
        return f"epoch {trial.epoch:.1f} of {trial.run.config.all_epochs}"
    if trial.run.state == INTERRUPTED and not trial.epoch:
        return "not trained"
    return STATES[trial.run.state]


def percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.2%}"


def show_figure(trials: list[Trial]) -> None:
    """What is tried as axes, from the beginning on, and a line for each run that has ended: a
    run half-way would be compared with others at their end."""
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
        alt += f". Of {len(ended)} the best is {sweeps.summary(best.run.config, names)}"
        alt += f" with {percent(best.validation_accuracy)}"
    st.markdown("**What is tried, and how well it does**: the more orange, the better")
    dark = cache.dark()
    live_chart(
        cached_figure_json(
            ("sweep", dark, str(axes), str(lines)),
            lambda: parallel.parallel_coordinates(axes, lines, dark),
        ),
        alt,
        key=f"sweep-figure-{trials[0].run.sweep}",
    )


def show_verdict(trials: list[Trial], best: Trial) -> None:
    """How good the best run is, how sure that is, and what the choice does to the number."""
    accuracy = best.validation_accuracy or 0.0
    images = best.run.validation_images
    low, high = metrics.wilson_interval(round(accuracy * images), images)
    rivals = sum(
        low <= (trial.validation_accuracy or 0.0) <= high for trial in trials if trial is not best
    )
    with st.container(horizontal=True, gap="small"):
        st.metric("Validation", percent(accuracy), border=True, width=150)
        st.metric("Test accuracy", percent(best.run.test_accuracy), border=True, width=150)
    run_picker.warn_of_guessing(best.run, accuracy, images, "validation")
    others = "No other run's validation accuracy lies within it."
    if rivals:
        lie = "lies" if rivals == 1 else "lie"
        others = f"{style.counted(rivals, 'other run')} {lie} within it, and may be as good."
    st.write(
        f"95% confidence interval, from about {images:,} validation images: {low:.2%} to "
        f"{high:.2%}. {others} As the best of {len(trials)} it is flattered by the choice. Nothing "
        "was chosen by the test images: believe their number, as long as you do not choose by it."
    )


st.title("Try several settings")
notices.data_notice()
visitor = visitor_module.visitor()
cache.store()
cache.pool().wake()

left, right = presenter.columns([1, 2])
with left, presenter.hidden_when_presenting("sweep_form"):
    configs = choose()
    place = st.container()
    if st.session_state.pop("sweep_pressed", False) and configs:
        with place:
            start(configs, visitor)
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
    place.button(
        "Start the sweep",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        on_click=lambda: st.session_state.update(sweep_pressed=True),
        disabled=mine is not None or not configs,
        help="One sweep at a time for each visitor." if mine else None,
    )
with right:
    trials = shown_sweep(mine)
    best = None
    if not trials:
        st.info(
            "A sweep trains one network several times, each time with other settings, to see "
            "which work best. Press **Start the sweep**: each run becomes a line here. You can "
            "leave this page; training continues.",
            icon=":material/tune:",
        )
    else:
        sweep_id, often = trials[0].run.sweep, poll(trials)
        best = None if often else chosen(trials)
        names = sweeps.varied([trial.run.config for trial in trials])
        heading = f"{style.counted(len(trials), 'run')} of {trials[0].run.config.preset}"
        note = f"Sweep {sweep_id}"
        if best and names:
            note += f" · {heading}"
            heading = f"Best on the validation images: {sweeps.summary(best.run.config, names)}"
        st.subheader(heading, anchor=False)
        st.caption(note)
        # In a box of its own, there or not: so the figure below is the same one at the end.
        with st.container():
            if best:
                show_verdict(trials, best)
            elif not often:
                st.error(
                    "No run of this sweep ended with a network. "
                    + next((trial.run.message for trial in trials if trial.run.message), ""),
                    icon=":material/error:",
                )
        shell.fragment(live, run_every=often)(sweep_id, visitor, often)

if best:
    st.space("small")
    if st.button(
        "Train with these settings",
        type="primary",
        icon=":material/model_training:",
        key="next_step",
        on_click=begin_anew,
        args=(best.run.config,),
    ):
        st.switch_page("pages/train.py", query_params=best.run.config.to_query())
    st.page_link(
        "pages/evaluate.py",
        label="See where the best network is wrong",
        icon=":material/grid_on:",
        query_params={"run": best.run.id},
    )
    trained = [trial.run.id for trial in ranked(trials) if trial.run.trained][:MOST_OVERLAID]
    st.page_link(
        "pages/compare.py",
        label="Compare their curves",
        icon=":material/compare_arrows:",
        query_params={"runs": ",".join(trained)},
    )
else:
    notices.next_step("train", "Train a single network", ":material/model_training:", primary=False)
teacher.show(visitor)
