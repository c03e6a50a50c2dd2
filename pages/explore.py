"""Explore: the digits themselves, by chance, at a glance, on a map, and where a label is in
doubt. Any of them opens in the detail view."""

import random
from collections import Counter
from collections.abc import Callable

import numpy as np
import streamlit as st

from mnist_core import data
from mnist_core.analysis import map_study, metrics
from mnist_core.errors import NotAllowed, StoreUnavailable
from mnist_core.plots import digits, html, style
from mnist_core.store.run import FAILED, WAITING, Run
from mnist_core.store.studies import DONE, Study
from pages.components import detail, maps, notices, run_picker
from pages.components.digit_map import digit_map
from pages.components.gallery import gallery
from pages.shared import cache, presenter, shell

shell.guard("explore")

LARGEST_SEED = 9999
SPLITS = {"Training": "train", "Test": "test"}
COUNTS = [25, 50, 100, 200]
SAMPLE, GLANCE, MAP, DOUBTS = "A sample", "At a glance", "A map", "Doubtful labels"
VIEWS = [SAMPLE, GLANCE, MAP, DOUBTS]
METHODS = ["PCA", "t-SNE"]
MOST_SHOWN = 60


def new_sample() -> None:
    st.session_state["explore_seed"] = random.randint(0, LARGEST_SEED)


def choose_sample() -> tuple[int, int, list[int]]:
    """How many digits, the seed of the choice, and which digits; none means all ten."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        count = st.selectbox(
            "How many", COUNTS, index=1, key="count", bind="query-params", width=120
        )
        seed = st.number_input(
            "Seed",
            0,
            LARGEST_SEED,
            key="explore_seed",
            width=160,
            help="The same seed shows the same digits to everyone: share the address.",
        )
        st.button("New sample", icon=":material/casino:", on_click=new_sample)
    if st.query_params.get("seed") != str(seed):
        st.query_params["seed"] = str(seed)
    digits = st.pills(
        "Digits",
        list(range(data.CLASSES)),
        selection_mode="multi",
        default=[],
        key="digits",
        bind="query-params",
        help="None chosen shows all ten.",
    )
    return count, seed, digits


@shell.fragment
def show_sample(split: str) -> None:
    with presenter.hidden_when_presenting("choice"):
        count, seed, digits = choose_sample()
    _, labels = cache.images_of(split)
    places = data.sample_indices(labels, digits or list(range(data.CLASSES)), count, seed)
    st.caption(
        f"{len(places)} of {len(labels):,} {kind(split)} images, chosen at random. Choose one to "
        "see it large. Each is 28 by 28 pixels, from 0 for paper to 255 for ink."
    )
    show_digits("sample", split, places, [str(label) for label in labels[places]])
    detail.show()


def choose_by_number(split: str) -> None:
    _, labels = cache.images_of(split)
    with (
        presenter.hidden_when_presenting("number"),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        st.number_input(
            "Go to image number",
            0,
            len(labels) - 1,
            key="number",
            width=200,
            help=numbers_help(labels),
        )
        st.button("Show it", icon=":material/zoom_in:", on_click=choose_number, args=(split,))


def numbers_help(labels: np.ndarray) -> str:
    return f"Each image has a number, from 0 to {len(labels) - 1:,}."


def choose_number(split: str) -> None:
    detail.choose(split, st.session_state["number"])


def kind(split: str) -> str:
    return "test" if split == "test" else "training"


def show_digits(key: str, split: str, places: np.ndarray, captions: list[str]) -> None:
    """Digits that open in the detail view."""
    images, labels = cache.images_of(split)
    gallery(
        data.take(images, places),
        captions,
        [f"A handwritten {labels[place]}, image {place}" for place in places],
        label="Digits",
        key=key,
        on_choose=lambda number: detail.choose(split, int(places[number])),
    )


def show_glance(split: str) -> None:
    found = cache.glance_at(cache.dataset(), split)
    left, right = st.columns(2, gap="large")
    plain = {"displayModeBar": False}
    with left:
        st.subheader("How many of each", anchor=False)
        st.plotly_chart(
            cache.figure(
                ("counts", split, cache.fingerprint_of(split)),
                lambda: digits.digit_counts(found.counts, cache.dark()),
            ),
            key="counts",
            config=plain,
            alt="How many images there are of each digit: "
            + ", ".join(f"{count} of {digit}" for digit, count in enumerate(found.counts)),
        )
    with right:
        st.subheader("How much ink", anchor=False)
        st.plotly_chart(
            cache.figure(
                ("ink", split, cache.fingerprint_of(split)),
                lambda: digits.ink_boxes(found.ink, cache.dark()),
            ),
            key="ink",
            config=plain,
            alt="How much of each digit's pictures is ink: "
            + ", ".join(f"{ink[2]:.0%} of a {digit}" for digit, ink in enumerate(found.ink)),
        )
    st.subheader("The mean of each digit", anchor=False)
    names = [str(digit) for digit in range(data.CLASSES)]
    st.html(
        html.digit_grid(
            np.rint(found.mean).astype(np.uint8),
            names,
            [f"The mean of all images of a {digit}" for digit in names],
        )
    )
    st.subheader("Where people write it differently", anchor=False)
    st.html(
        html.digit_grid(
            np.rint(2 * found.deviation).clip(0, 255).astype(np.uint8),
            names,
            [f"The spread of each pixel over the images of a {digit}" for digit in names],
        )
    )
    st.caption(
        "The standard deviation of each pixel: black where all agree, white where half write "
        "ink and half leave paper."
    )


@shell.fragment
def show_map(split: str) -> None:
    with (
        presenter.hidden_when_presenting("map"),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        method = st.segmented_control(
            "Method", METHODS, default=METHODS[0], key="method", bind="query-params", required=True
        )
        network = run_picker.pick_other_run(
            "Beside the pixels, a network's last hidden layer", None, run_picker.trained_runs()
        )
    places = maps.map_places(split)
    shown = [None, network] if network else [None]
    for column, run in zip(st.columns(len(shown), gap="medium"), shown, strict=True):
        with column:
            st.subheader(run.title if run else "Raw pixels", anchor=False)
            # An address with an empty one gives none.
            show_one_map(split, places, run, method or METHODS[0])
    # The keyboard's way to a loop.
    with presenter.hidden_when_presenting("one_digit"):
        st.pills(
            "Select all of one digit",
            list(range(data.CLASSES)),
            key="looped_digit",
            on_change=loop_around_digit,
            args=(split,),
        )
    if lassoed := st.session_state.get(loop_key(split)):
        show_lassoed(split, places[lassoed])
    else:
        st.caption(
            "Each point is a digit, and digits that look alike lie close together. Point at one to "
            "see it, click it to see it large, and draw a loop around some to see them together."
        )
    detail.show()


def show_one_map(split: str, places: np.ndarray, run: Run | None, method: str) -> None:
    points, variance = maps.flat_map(cache.dataset(), split, run)
    words = f"PCA: the two directions hold {variance.sum():.0%} of the variance."
    if method == "t-SNE":
        study = ask_for_map(split, run)
        if study and study.data:
            points = map_study.unpack_points(study.data)
            words = "t-SNE: neighbours stay neighbours; distances between groups mean little."
        elif study and study.state == FAILED:
            st.warning(f"There is no t-SNE map: {study.message}")
            st.button(
                "Try again",
                key=f"again_{run and run.id}",
                on_click=shell.guarded(maps.ask_again),
                args=(study.key,),
            )
        elif study:
            shell.fragment(wait_for_map, run_every=2.0)(split, run)
    _, labels = cache.images_of(split)
    digit_map(
        points,
        labels[places],
        [f"{labels[place]} · {kind(split)} image {place}" for place in places],
        maps.map_sprite(split),
        alt=f"A map of {len(places):,} digits by {method}, coloured by digit; below it all of one "
        "digit can be chosen with the keyboard",
        key=f"map_{run.id if run else 'pixels'}",
        lassoed=st.session_state.get(loop_key(split)),
        on_choose=lambda number: detail.choose(split, int(places[number])),
        on_lasso=lambda numbers: lasso(split, numbers),
    )
    st.caption(f"{len(places):,} {kind(split)} images. {words}")


def ask_for_map(split: str, run: Run | None) -> Study | None:
    """The study of a t-SNE map; None if it cannot be asked for, and a sentence says why."""
    try:
        return maps.studied_map(split, run)
    except (StoreUnavailable, NotAllowed) as error:
        st.warning(f"{error} Meanwhile: PCA.")
        return None


def lasso(split: str, numbers: list[int]) -> None:
    st.session_state[loop_key(split)] = numbers or None
    st.session_state["looped_digit"] = None


def loop_around_digit(split: str) -> None:
    digit = st.session_state["looped_digit"]
    _, labels = cache.images_of(split)
    numbers = np.flatnonzero(labels[maps.map_places(split)] == digit).tolist()
    st.session_state[loop_key(split)] = numbers or None


def loop_key(split: str) -> str:
    """Where the numbers of the points in the loop are kept; of other data they are others."""
    return f"lassoed_{split}_{cache.fingerprint_of(split)}"


def wait_for_map(split: str, run: Run | None) -> None:
    study = ask_for_map(split, run)
    if study is None:
        return
    if study.state in (DONE, FAILED):
        st.rerun()
    if study.state == WAITING and cache.pool().problem:
        st.warning(f"This map waits for a training process. {cache.pool().problem} Meanwhile: PCA.")
        return
    st.info(
        "The training process is computing this map; it takes about half a minute. Meanwhile: PCA.",
        icon=":material/hourglass_top:",
    )


def show_lassoed(split: str, places: np.ndarray) -> None:
    _, labels = cache.images_of(split)
    counts = Counter(labels[places].tolist()).most_common()
    with st.container(horizontal=True, vertical_alignment="center"):
        digits = style.counted(len(places), "digit")
        st.subheader(f"{digits} in the loop", anchor=False, width="content")
        st.button("Clear selection", on_click=lasso, args=(split, []))
    st.caption(", ".join(f"{count}× {digit}" for digit, count in counts))
    shown = places[:MOST_SHOWN]
    show_digits("lassoed_digits", split, shown, [str(label) for label in labels[shown]])


def show_doubts(split: str) -> None:
    if split == "test":
        show_test_doubts()
        return
    found = cache.suspects()
    if found is None:
        st.info(
            "Nobody has looked for doubtful labels among these digits yet. Whoever keeps this "
            "server can: `python -m mnist_core suspects`.",
            icon=":material/search:",
        )
        return
    st.markdown(
        f"Five networks were trained, each without another fifth of the {found.images:,} training "
        "images, and read the fifth that they had never seen. "
        f"**{found.differing:,}** were read as another digit than their label says. These are the "
        "ones whose label they believed least. Who is right?"
    )
    shown = found.ranked[:MOST_SHOWN]
    show_digits(
        "suspects",
        split,
        np.array([suspect.place for suspect in shown], np.int64),
        [f"{suspect.label}, or {suspect.predicted}?" for suspect in shown],
    )
    st.caption("Under each: its label, and what the network reads.")


def show_test_doubts() -> None:
    run = run_picker.pick_run(runs=cache.pictured_first(run_picker.trained_runs()))
    st.caption("Test images that this network reads as something else, and is surest of.")
    if not run_picker.is_readable(run):
        return
    mismatch = run_picker.mismatch(run)
    if mismatch:
        st.info(mismatch, icon=":material/image_not_supported:")
        return
    probabilities, labels = cache.predictions(run)
    places = metrics.surest_mistakes(labels, probabilities)[:MOST_SHOWN]
    answers = probabilities[places].argmax(axis=1)
    show_digits(
        "mistakes",
        "test",
        places,
        [f"{labels[p]}, or {a}?" for p, a in zip(places, answers, strict=True)],
    )


st.title("Explore the digits")
notices.data_notice()
shell.check_address(
    split=lambda text: text in SPLITS,
    show=lambda text: text in VIEWS,
    count=lambda text: text in map(str, COUNTS),
    seed=lambda text: shell.is_number(text, LARGEST_SEED),
    digits=lambda text: shell.is_number(text, data.CLASSES - 1),
    method=lambda text: text in METHODS,
    image=detail.is_name,
)
# By hand, not by binding: a bound number stumbles over seed=1e400 before it can be checked.
st.session_state.setdefault("explore_seed", int(st.query_params.get("seed", "0")))

view = notices.pick_view("show", VIEWS)
with presenter.hidden_when_presenting("split"):
    chosen_split = st.segmented_control(
        "Images",
        list(SPLITS),
        default="Training",
        key="split",
        bind="query-params",
        label_visibility="collapsed",
    )
split = SPLITS[chosen_split or "Training"]
shown: dict[str, Callable[[str], None]] = {
    SAMPLE: show_sample,
    GLANCE: show_glance,
    MAP: show_map,
    DOUBTS: show_doubts,
}
shown[view](split)
if view == SAMPLE:
    choose_by_number(split)
detail.show()

notices.next_step("train", "Train a network on these", ":material/model_training:")
