"""Choosing a run that has a network, and whether its predictions can be shown."""

import logging
from typing import Any

import streamlit as st

from mnist_core.analysis import metrics
from mnist_core.errors import RunNotFound, StoreUnavailable
from mnist_core.store.run import Run
from pages.shared.cache import dataset, has_pictures, predictions, shipped_runs, store

log = logging.getLogger("pages")

NO_RUN = ""


def is_readable(run: Run) -> bool:
    """Whether a run's test predictions can be read; otherwise a sentence says why not."""
    try:
        predictions(run)
    except RunNotFound:
        why = "has no predictions of the test images"
    except (ValueError, OSError):
        log.exception("predictions of run %s", run.id)
        why = "has predictions that cannot be read, perhaps from an older version"
    else:
        return True
    st.warning(
        f"{run.title} {why}, so there is nothing to evaluate. Choose another network, or train "
        "this one again.",
        icon=":material/unknown_document:",
    )
    return False


def mismatch(run: Run) -> str:
    """A sentence if a run was not tested on the images at hand, else empty."""
    if has_pictures(run):
        return ""
    sentence = (
        f"These predictions are for other test images ({run.dataset}) than the ones here "
        f"({dataset().description}), so the pictures cannot be shown. The numbers are valid."
    )
    if pictured := next(filter(has_pictures, shipped_runs()), None):
        sentence += f" Choose the network {pictured.label} to see pictures."
    return sentence


def trained_runs() -> list[Run]:
    """Every run with a network, built-in ones first; only those if there is no database."""
    runs = shipped_runs()
    try:
        return runs + store().list_runs(trained=True)
    except StoreUnavailable as error:
        st.warning(
            f"{error} Meanwhile the built-in networks are shown.", icon=":material/database:"
        )
        return runs


def pick_run(label: str = "Network", *, runs: list[Run] | None = None) -> Run:
    """Let the visitor choose a run; kept in the address.

    Args:
        runs: those to choose from; all with a network if None.
    """
    found = {run.id: run for run in (trained_runs() if runs is None else runs)}
    wanted = st.query_params.get("run")
    if wanted and wanted not in found:
        st.warning(
            "The link names a run that has no network here, so another one is shown.",
            icon=":material/link_off:",
        )
    return found[_choose_run(label, "run", list(found), found)]


def pick_other_run(label: str, first: Run | None, runs: list[Run]) -> Run | None:
    """Let the visitor choose a run other than the first, or none; kept in the address."""
    found = {run.id: run for run in runs if first is None or run.id != first.id}
    return found.get(_choose_run(label, "beside", [NO_RUN, *found], found, width=420))


def _choose_run(
    label: str, key: str, options: list[str], runs: dict[str, Run], width: Any = "stretch"
) -> str:
    # The box is set through its key: with an index that follows the address it would be a new
    # box after each choice, and lose it.
    box = f"picked_{key}"
    if st.session_state.get(box) not in options:
        wanted = st.query_params.get(key)
        st.session_state[box] = wanted if wanted in options else options[0]
    chosen: str = st.selectbox(
        label,
        options,
        key=box,
        format_func=lambda run_id: runs[run_id].title if run_id in runs else "No other network",
        help="Built-in networks, and those trained here.",
        width=width,
    )
    if chosen == NO_RUN:
        st.query_params.pop(key, None)
    else:
        st.query_params[key] = chosen
    return chosen


def warn_of_guessing(run: Run, accuracy: float, images: int, kind: str) -> None:
    """Say so, and what to try, if a run's network is no better than guessing.

    Args:
        accuracy: 0 to 1, on so many images of this kind, such as "test".
    """
    if not images or not metrics.is_guessing(accuracy, images):
        return
    config = run.config
    if config.shuffled_labels >= 0.5:
        advice = "Shuffle fewer labels."
    elif config.learning_rate > 0.002:
        advice = "Train again with a lower learning rate."
    else:
        advice = "Train again with a higher learning rate or more epochs."
    st.warning(
        f"This network learned nothing: it classifies {accuracy:.1%} of the {kind} images "
        f"correctly, and guessing gets {metrics.GUESSING:.0%} right. {advice}",
        icon=":material/casino:",
    )
