"""classroom: everybody's runs of the last hour, the best first, live for everyone who watches."""

import time
from collections import Counter

import streamlit as st

from mnist_core.plots import style
from mnist_core.plots.standings import Standing, standings
from mnist_core.store import engine
from mnist_core.store.run import FINISHED, INTERRUPTED, RUNNING, WAITING, Trial, ranked
from pages.components import run_picker
from pages.shared import cache, shell

HOUR = 3600.0
MOST_ROWS = 50
HEADER_PIXELS, ROW_PIXELS = 30, 38
STATES = {FINISHED: "done", WAITING: "waiting", INTERRUPTED: "interrupted"}


# One query a second, however many people watch.
@st.cache_data(ttl=1.0, max_entries=1, show_spinner=False)
def _of_this_hour(url: str) -> list[Trial]:
    # Of equal runs the newest comes first.
    return ranked(cache.store().trials_since(time.time() - HOUR)[::-1])


def show_runs(visitor: str) -> None:
    """The runs, as one table that stays in place while it is updated."""
    trials = _of_this_hour(engine.database_url())
    lines = one_of_each_sweep(trials)
    active = sum(trial.run.active for trial in trials)
    text = (
        f"**{style.counted(len(trials), 'run')}** in the last hour, **{active}** waiting or in "
        "training. The best on the validation images come first; the test accuracy is only "
        "reported."
    )
    if len(lines) > MOST_ROWS:
        text += f" The first {MOST_ROWS} are shown."
    st.write(text)
    shown = lines[:MOST_ROWS]
    with shell.reserved("standings", HEADER_PIXELS + ROW_PIXELS * len(shown)):
        if shown:
            st.html(standings([row_of(trial, count, visitor) for trial, count in shown]))
        else:
            st.info(
                "Nobody has trained a network in the last hour. Press **Start training** on the "
                "Train page, and the run appears here.",
                icon=":material/hourglass_empty:",
            )


def one_of_each_sweep(trials: list[Trial]) -> list[tuple[Trial, int]]:
    """The same runs in the same order, of each sweep only the first; and how many runs the line
    stands for."""
    counts = Counter(trial.run.sweep for trial in trials if trial.run.sweep)
    first: dict[str, Trial] = {}
    for trial in trials:
        first.setdefault(trial.run.sweep or trial.run.id, trial)
    return [(trial, counts.get(trial.run.sweep or "", 1)) for trial in first.values()]


def row_of(trial: Trial, count: int, visitor: str) -> Standing:
    """One line: a run, or the best of ``count`` runs of a sweep. Its test accuracy is shown once
    it has ended."""
    run = trial.run
    ended = not run.active
    return Standing(
        title=run_picker.title(run) + (f" · best of {count} in a sweep" if count > 1 else ""),
        state=state_of(trial),
        done=1.0 if run.state == FINISHED else trial.epoch / run.config.all_epochs,
        validation_accuracy=trial.validation_accuracy,
        validation_images=run.validation_images,
        test_accuracy=run.test_accuracy if ended else None,
        test_images=(run.test_images or 0) if ended else 0,
        own=run.owner == visitor,
    )


def state_of(trial: Trial) -> str:
    """What a run does now, in words."""
    if trial.run.state == RUNNING:
        return f"epoch {trial.epoch:.1f} of {trial.run.config.all_epochs}"
    return STATES.get(trial.run.state, trial.run.state)
