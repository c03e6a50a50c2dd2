"""The settings of a training run as widgets; a link can bring them, and the address follows.

While a run is shown they are one line without widgets, and those that few people need are built
when they are opened. To set all widgets, for example to another preset, their keys get a new
number, so that they start again with new values: a click at the wrong moment could undo a value
set from outside.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mnist_core import architecture
from mnist_core.config import (
    ADDRESS_FIELDS,
    CHOICES,
    LIMITS,
    PRESETS,
    TrainConfig,
    to_text,
    words,
)
from mnist_core.errors import InvalidConfig
from mnist_core.plots import html, style
from pages.shared import presenter, shell

# What the visitor wants of the settings on this page: True open, False as one line; missing before
# they said so.
OPEN = "settings_open"

LABELS = {
    "dense": "Dense layers",
    "looks": "Views per picture",
    "shuffled_labels": "Share of labels replaced at random",
}
# Steps of sliders, and options of those that have some; what CHOICES names has buttons in a row.
STEPS = {
    "epochs": 1,
    "weight_decay": 0.01,
    "label_smoothing": 0.01,
    "dropout": 0.05,
    "looks": 1,
    "shuffled_labels": 0.05,
}
OPTIONS: dict[str, list[float]] = {
    "batch_size": [16, 32, 64, 128, 256, 512, 1024],
    "learning_rate": [0.0001, 0.0003, 0.001, 0.002, 0.004, 0.006, 0.01, 0.03, 0.1, 0.3, 1.0],
    "training_images": [100, 300, 1000, 3000, 10_000, 30_000, 60_000],
    "drawn_digits": [0, 1000, 3000, 10_000],
}
FIRST = ("epochs", "batch_size", "learning_rate")
MORE = {
    "Optimizer": (*CHOICES, "weight_decay", "label_smoothing", "seed"),
    "Layers": ("convolutions", "dense", "dropout", "batch_normalization", "looks"),
    "Images": ("training_images", "shuffled_labels", "drawn_digits", "augmentation"),
}
NETWORK = "This network, layer by layer"
DESCRIPTIONS = {
    "classic": "784 pixels → 128 → 64 → 10. Seconds to train. Also learns from 3,000 digits that "
    "this project drew.",
    "quick": "Two convolutions. Above 99% in seconds.",
    "cnn": "Convolutions that see strokes. Minutes to train; reads drawings best. Also learns from "
    "10,000 digits that this project drew, and sees each digit turned and bent.",
}
# What each setting does, and what to try.
HELP = {
    "epochs": "Passes over all training images. Try 1, then 8: what do the others add?",
    "batch_size": "Images per update. Larger is faster and needs a larger learning rate. Try 16 "
    "for a noisy curve.",
    "learning_rate": "How large each update is. Try 1 to see training fail, 0.0001 to see it "
    "crawl.",
    "optimizer": "How a gradient becomes an update. Adam adapts the rate of each weight; momentum "
    "accumulates gradients; sgd does neither. Try sgd with a learning rate of 0.1.",
    "schedule": "How the learning rate changes: after a short warm-up it falls to zero along a "
    "cosine or a line, or stays constant. Try constant: the end of the curve is noisier.",
    "weight_decay": "Shrinks weights that are not needed. Try 0.1: less overfitting.",
    "label_smoothing": "Trains for less than 100% certainty, so that the network is less "
    "overconfident. Try 0.1 and look at its confidence.",
    "convolutions": "One after another: filters x kernel s stride, such as 24x5s2-48x3s2; just "
    "16, 32 means 3 pixels and stride 2; or none. Try 16, 32.",
    "dense": "Widths of the hidden layers, such as 128-64, or none. Try none: a linear classifier "
    "reaches 92%.",
    "dropout": "Share of hidden units switched off at each step, so that none is relied on. Try "
    "0.5: validation accuracy ends above training accuracy.",
    "batch_normalization": "Normalizes the output of each layer, so that larger learning rates "
    "work. Try it with 0.03.",
    "looks": "How many views of a picture, each shifted by a pixel, the trained network averages. "
    "Does not affect training. Try 5.",
    "training_images": "How many of MNIST's images to learn from. Try 100: it memorises "
    "them; validation accuracy stays low.",
    "shuffled_labels": "Share of labels replaced at random. Try 50%: the loss stays high, but "
    "validation accuracy is still good.",
    "drawn_digits": "Digits that this project drew, in styles that are rare in MNIST. Try 0, then "
    "draw a 7 with a bar.",
    "augmentation": "Rotates and distorts each digit and changes its pen, differently each time. "
    "Slower; try it with a convolutional network and more epochs.",
    "seed": "Starts every random choice: the same seed gives the same training again.",
}


def arrive(run: TrainConfig | None) -> None:
    """Begin the page: with the link's settings on the first visit, with the last ones later.

    Args:
        run: the settings of the run that the link shows, which count if it has no others.
    """
    if "settings" not in st.session_state:
        query = st.query_params.to_dict()
        config, problems = TrainConfig.from_query(query)
        if run and run.preset in PRESETS and not query.keys() & {"preset", *ADDRESS_FIELDS}:
            config = dataclasses.replace(run, epochs=run.all_epochs, more_epochs=())
        set_all(config)
        st.session_state["address_problems"] = problems
    elif st.session_state["arrived"]:
        problems = st.session_state["address_problems"]
        set_all(st.session_state["settings"])
        st.session_state["address_problems"] = problems
    if st.session_state["arrived"]:
        st.session_state.pop(OPEN, None)


def are_open(*, run_shown: bool) -> bool:
    """Whether to show the widgets, and not the line."""
    presenting = presenter.is_on() and not st.session_state.get("show_settings")
    return bool(st.session_state.get(OPEN, not (run_shown or presenting)))


def chosen() -> TrainConfig:
    """What the visitor has chosen, also before the widgets are shown in this rerun.

    Raises:
        InvalidConfig: the widgets hold settings that are invalid.
    """
    fields = (*FIRST, *(field for fields in MORE.values() for field in fields))
    held = {
        field: st.session_state[_key(field)] for field in fields if _key(field) in st.session_state
    }
    last: TrainConfig = st.session_state["settings"]
    return dataclasses.replace(last, **_parsed(held))


def in_one_line(config: TrainConfig) -> str:
    """Such as "classic, 8 epochs, batch size 256, learning rate 0.006, dropout 0.5"."""
    differs = [field for field in ADDRESS_FIELDS if field in config.to_query()]
    others = [field for field in differs if field not in (*FIRST, "more_epochs")]
    parts = [
        f"{words(field).lower()} {to_text(field, getattr(config, field))}"
        for field in ("batch_size", "learning_rate", *others)
    ]
    return ", ".join([config.preset, style.counted(config.all_epochs, "epoch"), *parts])


def line(config: TrainConfig) -> None:
    """The settings in one line, and the button that opens them."""
    # Not markdown: a stored preset may have any name.
    st.text(in_one_line(config), width="content")
    # Set again, because widgets that left the page lost their values.
    now = st.session_state["settings"]
    shell.button("Change", "tune", edit, now, type="tertiary", key="change_settings")


def settings(*, can_close: bool) -> tuple[TrainConfig | None, DeltaGenerator]:
    """The widgets.

    Args:
        can_close: offer to show the line instead.

    Returns:
        The settings, or None, with a sentence on the page, if they are invalid. And the place for
        the start button: below the first few widgets, because most people need no others.
    """
    for problem in st.session_state["address_problems"]:
        st.warning(problem, icon=":material/link_off:")
    start: TrainConfig = st.session_state["settings_start"]
    with st.container(key="settings_row", horizontal=True):
        st.segmented_control(
            "Network",
            list(PRESETS),
            default=start.preset,
            key=_key("preset"),
            on_change=_choose_preset,
            required=True,
        )
        values = {field: _widget(field, start) for field in FIRST}
    st.caption(DESCRIPTIONS[start.preset])
    place = st.container(key="settings_place", horizontal=True, vertical_alignment="bottom")
    more = st.expander(
        "More settings", icon=":material/tune:", key="more_settings", on_change=_keep
    )
    tabs = more.tabs([*MORE, NETWORK]) if more.open else []
    for tab, fields in zip(tabs, MORE.values(), strict=False):
        with tab:
            values |= {field: _widget(field, start) for field in fields}
    # Only now, so that all widgets are there even if a text is invalid.
    try:
        config = dataclasses.replace(st.session_state["settings"], **_parsed(values))
    except InvalidConfig as error:
        place.error(str(error), icon=":material/error:")
        return None, place
    if config != st.session_state["settings"]:
        # Once settings are changed by hand, errors in the link no longer matter.
        st.session_state["address_problems"] = []
    st.session_state["settings"] = config
    write_address(config)
    if tabs:
        with tabs[-1]:
            _show_layers(config)
        with more:
            _sum_up(config)
    with place:
        if can_close:
            shell.button("Hide settings", "expand_less", _close, type="tertiary")
        if config != PRESETS[config.preset]:
            label = f"Reset to {config.preset}'s defaults"
            shell.button(label, "restart_alt", set_all, PRESETS[config.preset], type="tertiary")
    return config, place


def set_all(config: TrainConfig) -> None:
    """Set all widgets."""
    st.session_state["settings"] = st.session_state["settings_start"] = config
    st.session_state["settings_count"] = st.session_state.get("settings_count", 0) + 1
    st.session_state["address_problems"] = []


def edit(config: TrainConfig) -> None:
    """Open the widgets, set to this."""
    set_all(config)
    st.session_state[OPEN] = True


def _close() -> None:
    st.session_state[OPEN] = False


def _keep() -> None:
    """When further settings are opened or closed: widgets that come back begin where they were."""
    st.session_state["settings_start"] = st.session_state["settings"]


def _choose_preset() -> None:
    set_all(PRESETS[st.session_state[_key("preset")]])


def _key(field: str) -> str:
    return f"setting-{field}-{st.session_state['settings_count']}"


def _parsed(values: dict[str, Any]) -> dict[str, Any]:
    """The values of widgets as settings. Raises InvalidConfig."""
    readers = {
        "convolutions": architecture.parse_convolutions,
        "dense": architecture.parse_dense,
    }
    return {
        field: readers[field](value) if field in readers else value
        for field, value in values.items()
    }


def _widget(field: str, start: TrainConfig) -> Any:
    """The widget of a setting, and its value; text for layers."""
    label, value = LABELS.get(field, words(field)), getattr(start, field)
    named: dict[str, Any] = {"key": _key(field), "help": HELP[field]}
    if field in STEPS:
        low, high = (type(value)(limit) for limit in LIMITS[field])
        return st.slider(label, low, high, value, step=STEPS[field], **named)
    if field in OPTIONS:
        # A link may have brought another value.
        options = sorted({*OPTIONS[field], value})
        return st.select_slider(label, options, value, format_func=_option_text(field), **named)
    if field in CHOICES:
        return st.segmented_control(label, CHOICES[field], default=value, required=True, **named)
    if field == "seed":
        low, high = (int(limit) for limit in LIMITS[field])
        return st.number_input(label, low, high, value, **named)
    if field == "convolutions":
        return st.text_input(label, architecture.convolutions_text(value), max_chars=100, **named)
    if field == "dense":
        return st.text_input(label, architecture.dense_text(value), max_chars=100, **named)
    return st.toggle(label, value, **named)


def _option_text(field: str) -> Callable[[float], str]:
    def text(option: float) -> str:
        everything = field == "training_images" and option == OPTIONS[field][-1]
        return "all" if everything else f"{option:,.10g}"

    return text


def write_address(config: TrainConfig) -> None:
    """Make the address bring these settings."""
    wanted = config.to_query()
    for field in ("preset", *ADDRESS_FIELDS):
        if field in wanted:
            if st.query_params.get(field) != wanted[field]:
                st.query_params[field] = wanted[field]
        elif field in st.query_params:
            del st.query_params[field]


def _sum_up(config: TrainConfig) -> None:
    text = (
        f"{config.parameters:,} parameters, {config.multiplications:,} multiplications per digit."
    )
    if config.more_epochs:
        then = " and ".join(map(str, config.more_epochs))
        text += f" Then {then} more epochs with the learning rate restarted."
    st.caption(text)


def _show_layers(config: TrainConfig) -> None:
    rows = [
        (layer.kind, " × ".join(map(str, layer.shape)), f"{layer.parameters:,}")
        for layer in config.layers
    ]
    st.html(html.table(("Layer", "Output", "Parameters"), rows))
