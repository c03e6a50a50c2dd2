"""The settings of a training run as widgets: what a link brought, and what a hand changes.

Each widget begins with a value of its own and is told apart by a number that counts up
whenever all of them begin anew: at a visit, at another preset. So nothing has to be put
into a widget from outside, which a click at the wrong moment can undo.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mnist_core import architecture
from mnist_core.config import ADDRESS_FIELDS, CHOICES, LIMITS, PRESETS, TrainConfig, words
from mnist_core.errors import InvalidConfig
from mnist_core.plots import html
from pages.shared import presenter

BATCH_SIZES = [16, 32, 64, 128, 256, 512, 1024]
LEARNING_RATES = [0.0001, 0.0003, 0.001, 0.002, 0.004, 0.006, 0.01, 0.03, 0.1, 0.3, 1.0]
DRAWN_DIGITS = [0, 1000, 3000, 10_000]
TRAINING_IMAGES = [100, 300, 1000, 3000, 10_000, 30_000, 60_000]
DESCRIPTIONS = {
    "classic": "784 pixels → 128 → 64 → 10. Seconds to train. Also learns from 3,000 digits that "
    "this project drew.",
    "quick": "Two convolutions. Above 99% in seconds.",
    "cnn": "Convolutions that see strokes. Minutes to train; reads drawings best. Also learns from "
    "10,000 digits that this project drew, and sees each digit turned and bent.",
}
# What each setting does, and what to try.
HELP = {
    "epochs": "Passes over all training images. Try 1, then 8: what do the others bring?",
    "batch_size": "Images looked at before each small change. Larger is faster, and needs a "
    "larger learning rate. Try 16 for a nervous curve.",
    "learning_rate": "How large each update is. Try 1 to see a training fail, 0.0001 to see it "
    "crawl.",
    "optimizer": "How a gradient becomes a change. Adam gives each weight a pace of its own; "
    "momentum keeps rolling; sgd does neither. Try sgd at a rate of 0.1.",
    "schedule": "How the learning rate goes: a short warm-up, then down to nothing along a cosine "
    "or a line; or constant. Try constant: the end of the curve trembles.",
    "weight_decay": "Lets weights that nothing needs shrink. Try 0.1: less overfitting.",
    "label_smoothing": "Takes some certainty from the right answer, so that the network is "
    "less overconfident. Try 0.1 and look at its confidence.",
    "convolutions": "One after another: filters x kernel s stride, such as 24x5s2-48x3s2; just "
    "16, 32 means 3 pixels and stride 2; none for none. Try 16, 32.",
    "dense": "Widths of the hidden layers, such as 128-64; none for none. Try none: a straight "
    "line through pixels reads 92%.",
    "dropout": "Share of hidden units silenced at each step, so that none is relied on. Try 0.5: "
    "validation comes out above training.",
    "batch_normalization": "Keeps each layer's numbers near 0 and 1, so that larger learning "
    "rates work. Try it with 0.03.",
    "looks": "How often the trained network looks at a picture, each time moved by a pixel, "
    "before it answers. Changes nothing in training. Try 5.",
    "training_images": "How many of MNIST's images to learn from. Try 100: it memorises "
    "them; validation accuracy stays low.",
    "shuffled_labels": "Share of labels replaced at random. Try 50%: loss stays high, and "
    "yet validation finds the truth.",
    "drawn_digits": "Digits that this project drew, with habits MNIST has few of. Try 0, then "
    "draw a 7 with a bar.",
    "augmentation": "Shows each digit turned, bent and with another pen, every time anew. Slower; "
    "try it with a convolutional network and more epochs.",
    "seed": "Start of every random choice: the same seed gives the same training again.",
}


def settings() -> tuple[TrainConfig | None, DeltaGenerator]:
    """The widgets, and the settings they stand at; the address follows.

    Returns:
        The settings, or None, and a sentence on the page, where what was typed is none. And
        the place for the button that starts them: below the first few widgets, for most
        people need no others.
    """
    _arrive()
    for problem in st.session_state["address_problems"]:
        st.warning(problem, icon=":material/link_off:")
    start: TrainConfig = st.session_state["settings_start"]
    with presenter.hidden_when_presenting("settings"):
        st.segmented_control(
            "Network",
            list(PRESETS),
            default=start.preset,
            key=_key("preset"),
            on_change=_choose_preset,
            required=True,
        )
        st.caption(DESCRIPTIONS[start.preset])
        values: dict[str, Any] = {
            "epochs": _slider("epochs", start.epochs, 1),
            "batch_size": _select("batch_size", start.batch_size, BATCH_SIZES),
            "learning_rate": _select("learning_rate", start.learning_rate, LEARNING_RATES),
        }
    place = st.container()
    more = presenter.hidden_when_presenting("more_settings")
    try:
        with more:
            config = dataclasses.replace(start, **values, **_more_values(start))
    except InvalidConfig as error:
        place.error(str(error), icon=":material/error:")
        return None, place
    if config != st.session_state["settings"]:
        # The person has taken over: what was wrong with the link no longer matters.
        st.session_state["address_problems"] = []
    st.session_state["settings"] = config
    _write_address(config)
    with more:
        if config.more_epochs:
            then = " and ".join(map(str, config.more_epochs))
            st.caption(f"Then {then} more epochs with the learning rate restarted.")
        _show_network(config)
        if config != PRESETS[config.preset]:
            st.button(
                f"Reset to {config.preset}'s defaults",
                icon=":material/restart_alt:",
                on_click=set_all,
                args=(PRESETS[config.preset],),
            )
    return config, place


def set_all(config: TrainConfig) -> None:
    """Set all widgets to these settings."""
    st.session_state["settings"] = st.session_state["settings_start"] = config
    st.session_state["settings_count"] = st.session_state.get("settings_count", 0) + 1
    st.session_state["address_problems"] = []


def _arrive() -> None:
    """At the first visit take what a link brought, at a later one what was left here."""
    if "settings" not in st.session_state:
        config, problems = TrainConfig.from_query(st.query_params.to_dict())
        set_all(config)
        st.session_state["address_problems"] = problems
    elif st.session_state["arrived"]:
        problems = st.session_state["address_problems"]
        set_all(st.session_state["settings"])
        st.session_state["address_problems"] = problems


def _choose_preset() -> None:
    set_all(PRESETS[st.session_state[_key("preset")]])


def _key(field: str) -> str:
    return f"setting-{field}-{st.session_state['settings_count']}"


def _more_values(start: TrainConfig) -> dict[str, Any]:
    """The widgets that most people need not see, and what they stand at."""
    values: dict[str, Any] = {}
    with st.expander("More settings", icon=":material/tune:"):
        optimizer, layers, images = st.tabs(["Optimizer", "Layers", "Images"])
    with optimizer:
        for field in CHOICES:
            values[field] = st.segmented_control(
                _label(field),
                CHOICES[field],
                default=getattr(start, field),
                key=_key(field),
                help=HELP[field],
                required=True,
            )
        values["weight_decay"] = _slider("weight_decay", start.weight_decay, 0.01)
        values["label_smoothing"] = _slider("label_smoothing", start.label_smoothing, 0.01)
        low, high = (int(limit) for limit in LIMITS["seed"])
        values["seed"] = st.number_input(
            "Seed", low, high, start.seed, key=_key("seed"), help=HELP["seed"]
        )
    with layers:
        convolutions = _text("convolutions", architecture.convolutions_text(start.convolutions))
        dense = _text("dense", architecture.dense_text(start.dense))
        values["dropout"] = _slider("dropout", start.dropout, 0.05)
        values["batch_normalization"] = _toggle("batch_normalization", start)
        values["looks"] = _slider("looks", start.looks, 1)
    with images:
        values["training_images"] = _select(
            "training_images", start.training_images, TRAINING_IMAGES, "all"
        )
        values["shuffled_labels"] = _slider("shuffled_labels", start.shuffled_labels, 0.05)
        values["drawn_digits"] = _select("drawn_digits", start.drawn_digits, DRAWN_DIGITS)
        values["augmentation"] = _toggle("augmentation", start)
    # Only now, so that no widget is missing where a text is no layers.
    values["convolutions"] = architecture.parse_convolutions(convolutions)
    values["dense"] = architecture.parse_dense(dense)
    return values


def _slider(field: str, value: Any, step: float) -> Any:
    # Whole numbers have a whole slider, others one of floats.
    low, high = (type(value)(limit) for limit in LIMITS[field])
    return st.slider(_label(field), low, high, value, step=step, key=_key(field), help=HELP[field])


def _select(field: str, value: float, options: Sequence[float], most: str = "") -> Any:
    """Of the options, and of what a link may have asked for beside them."""

    def text(option: float) -> str:
        return most if most and option == options[-1] else f"{option:,.10g}"

    return st.select_slider(
        _label(field),
        sorted({*options, value}),
        value,
        key=_key(field),
        format_func=text,
        help=HELP[field],
    )


def _text(field: str, value: str) -> str:
    return st.text_input(_label(field), value, key=_key(field), help=HELP[field], max_chars=100)


def _toggle(field: str, start: TrainConfig) -> bool:
    return st.toggle(_label(field), getattr(start, field), key=_key(field), help=HELP[field])


LABELS = {
    "dense": "Dense layers",
    "looks": "Views per picture",
    "shuffled_labels": "Share of labels replaced at random",
}


def _label(field: str) -> str:
    return LABELS.get(field, words(field))


def _write_address(config: TrainConfig) -> None:
    wanted = config.to_query()
    for field in ("preset", *ADDRESS_FIELDS):
        if field in wanted:
            if st.query_params.get(field) != wanted[field]:
                st.query_params[field] = wanted[field]
        elif field in st.query_params:
            del st.query_params[field]


def _show_network(config: TrainConfig) -> None:
    """What will be built, as it is edited."""
    st.caption(
        f"{config.parameters:,} parameters, {config.multiplications:,} multiplications a digit."
    )
    with st.expander("This network, layer by layer"):
        rows = [
            (layer.kind, " × ".join(map(str, layer.shape)), f"{layer.parameters:,}")
            for layer in config.layers
        ]
        st.html(html.table(("Layer", "Output", "Parameters"), rows))
