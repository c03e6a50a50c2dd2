"""Maps of digits: by PCA at once, by t-SNE from a worker."""

from collections import Counter

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mnist_core import data
from mnist_core.analysis import map_study, maps
from mnist_core.errors import NotAllowed, StoreUnavailable
from mnist_core.plots import style
from mnist_core.store.queue import DONE, Task
from mnist_core.store.run import ACTIVE, FAILED, WAITING, Run
from pages.components import detail, run_picker
from pages.components.choices import choose
from pages.components.digit_map import digit_map
from pages.server import limits, served
from pages.server.rates import STUDY
from pages.shared import cache, presenter, shell
from pages.shared.visitor import this_visitor

PCA, T_SNE = METHODS = ["PCA", "t-SNE"]
MOST_SHOWN = 60
MEANWHILE = "PCA is shown meanwhile."


def show_map(split: str, row: DeltaGenerator) -> None:
    """A map of the digits.

    Args:
        row: where its choices go.
    """
    runs = run_picker.trained_runs()
    with row, presenter.hidden_when_presenting("map", horizontal=True, width="content"):
        method = choose("Method", METHODS, "method", bind="query-params")
        network = run_picker.pick_other_run(
            "Compare the pixels with a network's last hidden layer", None, runs
        )
    places = places_of(cache.dataset(), split)
    shown = [None, network] if network else [None]
    for column, run in zip(st.columns(len(shown), gap="medium"), shown, strict=True):
        with column:
            st.subheader(run_picker.title(run) if run else "Raw pixels", anchor=False)
            show_one(split, places, run, method)
    # The way to select digits by keyboard.
    with presenter.hidden_when_presenting("one_digit"):
        st.pills(
            "Select all of one digit",
            list(range(data.CLASSES)),
            key="looped_digit",
            on_change=select_digit,
            args=(split,),
        )
    if selected := st.session_state.get(selection_key(split)):
        show_selected(split, places[selected])
    else:
        st.caption(
            "Each point is a digit, and digits that look alike are close together. Point at one to "
            "see it, click it to enlarge it, or draw a loop around some to see them together."
        )


@cache.cached(8)
def places_of(dataset: data.Dataset, split: str) -> np.ndarray:
    """Which images are on the map."""
    return maps.choose(cache.images_of(split)[1])


@cache.cached(20, "Drawing the map …")
def pca_map(dataset: data.Dataset, split: str, run: Run | None) -> tuple[np.ndarray, np.ndarray]:
    """A map by PCA, of the pixels or of a run's last hidden layer: points, and the share of
    the variance along each axis."""
    images = data.take(cache.images_of(split)[0], places_of(dataset, split))
    activations = cache.classifier(run).activations if run else None
    return maps.pca(maps.features_of(images, activations))


def show_one(split: str, places: np.ndarray, run: Run | None, method: str) -> None:
    points, variance = pca_map(cache.dataset(), split, run)
    words = f"PCA: the two directions hold {variance.sum():.0%} of the variance."
    if method == T_SNE:
        study = ask_for_t_sne(split, run)
        if study and study.result:
            points = map_study.unpack_points(study.result)
            words = "t-SNE: neighbours stay neighbours; distances between groups mean little."
        elif study and study.state == FAILED:
            st.warning(f"There is no t-SNE map: {study.message}")
            key = f"again_{run and run.id}"
            shell.button("Try again", "refresh", request, study.id, key=key)
        elif study:
            shell.fragment(wait_for_t_sne, run_every=2.0)(split, run)
    _, labels = cache.images_of(split)
    kind = "test" if split == "test" else "training"
    digit_map(
        points,
        labels[places],
        [f"{labels[place]} · {kind} image {place}" for place in places],
        sprite_address(split),
        alt=f"A map of {len(places):,} digits by {method}, coloured by digit; below it all of one "
        "digit can be selected with the keyboard",
        key=f"map_{run.id if run else 'pixels'}",
        lassoed=st.session_state.get(selection_key(split)),
        on_choose=lambda number: detail.choose(split, int(places[number])),
        on_lasso=lambda numbers: select(split, numbers),
    )
    st.caption(f"{len(places):,} {kind} images. {words}")


def sprite_address(split: str) -> str:
    """The address of all pictures of a map."""
    images, fingerprint = cache.images_of(split)[0], cache.fingerprint_of(split)

    def make() -> bytes:
        return maps.sprite(data.take(images, places_of(cache.dataset(), split)))

    return served.address(f"digits-{split}-{fingerprint}.png", make) or ""


# --- t-SNE ---


def ask_for_t_sne(split: str, run: Run | None) -> Task | None:
    """The study of a t-SNE map, requested if nobody did before; None if it cannot be requested,
    and a sentence says why."""
    features = (run.id, run.version) if run else (map_study.PIXELS, 0)
    key = map_study.MapKey(split, cache.fingerprint_of(split), *features).text
    try:
        study = cache.tasks().find(key) or request(key)
        if study.state in ACTIVE:
            cache.pool().wake()
        return study
    except (StoreUnavailable, NotAllowed) as error:
        st.warning(f"{error} {MEANWHILE}")
        return None


def request(key: str) -> Task:
    with limits.counted(STUDY, this_visitor(remember=False)):
        return cache.tasks().request(key)


def wait_for_t_sne(split: str, run: Run | None) -> None:
    study = ask_for_t_sne(split, run)
    if study is None:
        return
    if study.state in (DONE, FAILED):
        st.rerun()
    if study.state == WAITING and (problem := cache.pool().problem):
        st.warning(f"This map waits for a training process. {problem} {MEANWHILE}")
    else:
        st.info(
            "The training process is computing this map, which takes about half a minute. "
            + MEANWHILE,
            icon=":material/hourglass_top:",
        )


# --- the selection ---


def selection_key(split: str) -> str:
    """Where the numbers of the selected points are kept; other data has other points."""
    return f"lassoed_{split}_{cache.fingerprint_of(split)}"


def select(split: str, numbers: list[int]) -> None:
    st.session_state[selection_key(split)] = numbers or None
    st.session_state["looped_digit"] = None


def select_digit(split: str) -> None:
    labels = cache.images_of(split)[1][places_of(cache.dataset(), split)]
    numbers = np.flatnonzero(labels == st.session_state["looped_digit"]).tolist()
    st.session_state[selection_key(split)] = numbers or None


def show_selected(split: str, places: np.ndarray) -> None:
    labels = cache.images_of(split)[1][places]
    with st.container(horizontal=True, vertical_alignment="center"):
        digits = style.counted(len(places), "digit")
        st.subheader(f"{digits} in the loop", anchor=False, width="content")
        st.button("Clear selection", on_click=select, args=(split, []))
    counts = Counter(labels.tolist()).most_common()
    st.caption(", ".join(f"{count}× {digit}" for digit, count in counts))
    captions = [str(label) for label in labels[:MOST_SHOWN]]
    detail.show_digits(split, places[:MOST_SHOWN], captions, "lassoed_digits")
