"""Choosing a run that has a network, and whether its predictions can be shown."""

import logging
from typing import Any

import streamlit as st

from mnist_core.analysis import metrics
from mnist_core.errors import RunNotFound, StoreUnavailable
from mnist_core.plots.curves import RUN_COLOURS
from mnist_core.store import names
from mnist_core.store.ranking import ordered
from mnist_core.store.run import Run
from mnist_core.sweeps import summary, varied
from pages.shared.cache import dataset, has_pictures, predictions, shipped_runs, store
from pages.shared.visitor import this_visitor, time_zone

log = logging.getLogger("pages")

NO_RUN = ""
# Precedes the id of a sweep among the options of a box; no run's id has a colon.
SWEEP = "sweep:"
YOURS = " (yours)"
# Each has a colour of its own.
MOST_OVERLAID = len(RUN_COLOURS)


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
        f"{title(run)} {why}, so there is nothing to evaluate. Choose another network, or train "
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
        sentence += f" Choose the network {pictured.id} to see pictures."
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


def title(run: Run) -> str:
    """Such as "Ada · classic · 14:05", in the visitor's time zone."""
    return names.title(run, time_zone())


def titles(runs: list[Run]) -> dict[str, str]:
    """The titles of these runs by their ids, all different."""
    return names.titles(runs, time_zone())


def pick_run(label: str = "Network", *, runs: list[Run] | None = None) -> Run:
    """Let the visitor choose a run; kept in the address.

    Args:
        runs: those to choose from, of which the first is chosen at first; all with a network if
            None.
    """
    listed = trained_runs() if runs is None else runs
    found = {run.id: run for run in listed}
    wanted = st.query_params.get("run")
    if wanted and wanted not in found:
        st.warning(
            "The link names a run that has no network here, so another one is shown.",
            icon=":material/link_off:",
        )
    return found[_choose_run(label, "run", listed, listed[0].id)]


def pick_other_run(label: str, first: Run | None, runs: list[Run]) -> Run | None:
    """Let the visitor choose a run other than the first, or none; kept in the address."""
    found = {run.id: run for run in runs if first is None or run.id != first.id}
    return found.get(_choose_run(label, "beside", list(found.values()), NO_RUN, width=420))


def pick_runs(label: str, runs: list[Run], start: list[str], key: str, *, most: int) -> list[Run]:
    """Let the visitor choose several runs, of each sweep its best one or, if wished, all.

    Args:
        start: ids of those chosen at first.
        key: of the box; what is chosen in it is listed in any case.
        most: how many may be chosen.
    """
    found = {run.id: run for run in runs}
    lines = _lines(runs)
    every = f"{key}_of_sweeps"
    has_sweeps = any(len(line) > 1 for line in lines)
    asked = {*start, *st.session_state.get(key, [])}
    listed = []
    for line in lines:
        shown = line if st.session_state.get(every) else ordered(line)[:1]
        listed += [run for run in line if run in shown or run.id in asked]
    texts = _texts(listed)
    for line in lines:
        if len(line) > 1:
            texts[ordered(line)[0].id] += f" · best of {len(line)} in a sweep"
    chosen: list[str] = st.multiselect(
        label,
        [run.id for run in listed],
        default=[run_id for run_id in start if run_id in found],
        max_selections=most,
        key=key,
        format_func=texts.__getitem__,
    )
    if has_sweeps:
        st.toggle("List every run of the sweeps", key=every)
    return [found[run_id] for run_id in chosen]


def _lines(runs: list[Run]) -> list[list[Run]]:
    """The runs as a list shows them, the visitor's own first: each line is one run or a sweep."""
    visitor = this_visitor(remember=False)
    lines: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.owner != visitor):
        lines.setdefault(run.sweep or run.id, []).append(run)
    return list(lines.values())


def _texts(runs: list[Run]) -> dict[str, str]:
    """What a list says of each run, by its id."""
    visitor = this_visitor(remember=False)
    texts = titles(runs)
    for run in runs:
        if run.test_accuracy is not None:
            texts[run.id] += f" · {run.test_accuracy:.2%}"
        if run.owner == visitor:
            texts[run.id] += YOURS
    return texts


def _sweep_texts(sweeps: list[list[Run]]) -> dict[str, str]:
    """What a list says of each of these sweeps, by the id of a sweep's first listed run."""
    visitor = this_visitor(remember=False)
    firsts = [sweep[0] for sweep in sweeps]
    zone = time_zone()
    texts = names.distinct(firsts, title, lambda run: names.title(run, zone, seconds=True))
    return {
        first.id: f"Sweep · {texts[first.id]}: {len(sweep)} runs" + YOURS * (first.owner == visitor)
        for first, sweep in zip(firsts, sweeps, strict=True)
    }


def _texts_in_sweep(runs: list[Run]) -> dict[str, str]:
    """What a list of the runs of one sweep says of each: in what they differ."""
    differing = varied([run.config for run in runs])
    return {
        run.id: summary(run.config, differing)
        + ("" if run.test_accuracy is None else f" · {run.test_accuracy:.2%}")
        for run in runs
    }


def _choose_run(label: str, key: str, runs: list[Run], start: str, width: Any = "stretch") -> str:
    """The id of the chosen run, or ``NO_RUN`` if that is where it starts and nothing is chosen.

    A sweep is one line; when it is chosen, a second box has its runs, the best one first.
    """
    lines = _lines(runs)
    sweeps = {f"{SWEEP}{line[0].sweep}": line for line in lines if len(line) > 1}
    of_sweeps = _sweep_texts(list(sweeps.values()))
    texts = _texts([line[0] for line in lines if len(line) == 1])
    texts[NO_RUN] = "No other network"
    texts |= {name: of_sweeps[sweep[0].id] for name, sweep in sweeps.items()}
    wanted = st.query_params.get(key, start)
    wanted = wanted if wanted in {run.id for run in runs} else start
    options = [NO_RUN] * (start == NO_RUN)
    options += [line[0].id if len(line) == 1 else f"{SWEEP}{line[0].sweep}" for line in lines]
    named = [name for name, sweep in sweeps.items() if wanted in {run.id for run in sweep}]
    first = named[0] if named else wanted
    chosen = _select(label, f"picked_{key}", options, first, texts, width)
    if chosen in sweeps:
        of_sweep = [run.id for run in ordered(sweeps[chosen])]
        first = wanted if wanted in of_sweep else of_sweep[0]
        box = f"picked_{key}_{chosen.replace(':', '-')}"
        texts = _texts_in_sweep(sweeps[chosen])
        chosen = _select("Run of this sweep", box, of_sweep, first, texts, width)
    if chosen == NO_RUN:
        st.query_params.pop(key, None)
    else:
        st.query_params[key] = chosen
    return chosen


def _select(
    label: str, key: str, options: list[str], start: str, texts: dict[str, str], width: Any
) -> str:
    # The box is set through its key: with an index that follows the address it would be a new
    # box after each choice, and lose it.
    if st.session_state.get(key) not in options:
        st.session_state[key] = start
    chosen: str = st.selectbox(
        label,
        options,
        key=key,
        format_func=texts.__getitem__,
        help="Your own networks first, then built-in ones and those trained here by others.",
        width=width,
    )
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
