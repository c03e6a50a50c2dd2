import dataclasses
import json

import pytest

from mnist_core.config import ADDRESS_FIELDS, LIMITS, PRESETS, TrainConfig, describe
from mnist_core.errors import InvalidConfig, UserError


def test_classic_is_the_network_of_the_first_notebook():
    classic = PRESETS["classic"]
    assert classic.preset == "classic"
    assert classic.convolutions == ()
    assert classic.dense == (128, 64)
    assert not classic.batch_normalization
    assert not classic.augmentation
    assert classic.dropout == 0


def test_the_network_for_drawings_learns_from_moved_and_turned_digits():
    assert PRESETS["cnn"].convolutions
    assert PRESETS["cnn"].augmentation
    assert PRESETS["cnn"].drawn_digits == LIMITS["drawn_digits"][1]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_carries_its_own_name(name):
    assert PRESETS[name].preset == name


@pytest.mark.parametrize("name", LIMITS)
def test_both_ends_of_a_range_are_allowed(name):
    for value in LIMITS[name]:
        assert getattr(TrainConfig(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("epochs", 31),
        ("epochs", 10**9),
        ("batch_size", 15),
        ("batch_size", 1025),
        ("learning_rate", 0.0),
        ("learning_rate", 1.1),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate", "fast"),
        ("dropout", -0.1),
        ("dropout", 0.9),
        ("label_smoothing", 0.4),
        ("drawn_digits", -1),
        ("drawn_digits", 10_001),
        ("drawn_digits", True),
        ("seed", -1),
        ("seed", 2**31),
        ("epochs", 1.5),
        ("epochs", True),
        ("epochs", None),
        ("augmentation", 1),
        ("batch_normalization", "yes"),
        ("preset", 7),
        ("preset", "x" * 41),
        ("dense", (0,)),
        ("dense", (1025,)),
        ("dense", (64.0,)),
        ("dense", [64]),
        ("dense", (8,) * 7),
        ("convolutions", ((24, 5),)),
        ("convolutions", ((129, 5, 1),)),
        ("convolutions", ((24, 8, 1),)),
        ("convolutions", ((24, 5, 4),)),
        ("convolutions", ((24, 5, "1"),)),
        ("convolutions", (3,)),
        ("optimizer", "rmsprop"),
        ("optimizer", None),
        ("schedule", ""),
        ("more_epochs", (0,)),
        ("more_epochs", (1.5,)),
        ("more_epochs", [1]),
        ("more_epochs", (23,)),
        ("more_epochs", (True,)),
        ("more_epochs", (-1,)),
        ("more_epochs", 4),
        ("weight_decay", 0.4),
        ("looks", 6),
        ("training_images", 1000.0),
        ("shuffled_labels", float("nan")),
        ("training_images", 99),
        ("training_images", 60_001),
        ("shuffled_labels", 1.1),
        ("dense", (1024, 1024)),
    ],
)
def test_a_value_out_of_its_range_is_refused_with_a_sentence(name, value):
    with pytest.raises(InvalidConfig) as caught:
        TrainConfig(**{name: value})
    assert isinstance(caught.value, UserError)
    assert str(caught.value)[0].isupper()
    assert str(caught.value).endswith(".")


def test_the_sentence_names_the_setting_and_its_range():
    with pytest.raises(InvalidConfig, match=r"^Epochs must be a whole number from 1 to 30\.$"):
        TrainConfig(epochs=99)
    with pytest.raises(InvalidConfig, match=r"^Learning rate must be a number from 1e-05 to 1\.0"):
        TrainConfig(learning_rate=2.0)


def test_the_sentence_about_a_seed_names_the_exact_limit():
    with pytest.raises(
        InvalidConfig, match=r"^Seed must be a whole number from 0 to 2147483647\.$"
    ):
        TrainConfig(seed=2**31)


def test_settings_cannot_change_once_made():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PRESETS["classic"].epochs = 3


@pytest.mark.parametrize("name", PRESETS)
def test_json_gives_back_the_same_settings(name):
    config = dataclasses.replace(PRESETS[name], seed=2**31 - 1, learning_rate=1 / 300)
    assert TrainConfig.from_json(config.to_json()) == config


def test_json_is_one_object_with_its_keys_in_order():
    keys = list(json.loads(PRESETS["cnn"].to_json()))
    assert keys == sorted(keys)
    assert set(keys) == {field.name for field in dataclasses.fields(TrainConfig)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        '"classic"',
        '{"momentum": 0.9}',
        '{"epochs": 31}',
        '{"epochs": "many"}',
        '{"dense": 64}',
        '{"dense": ["a"]}',
        '{"convolutions": [3]}',
        '{"convolutions": "abc"}',
        '{"learning_rate": NaN}',
    ],
)
def test_json_that_is_no_settings_is_refused(text):
    with pytest.raises(InvalidConfig):
        TrainConfig.from_json(text)


def test_an_address_of_a_preset_holds_nothing_else():
    assert PRESETS["cnn"].to_query() == {"preset": "cnn"}


def test_an_address_holds_what_differs_from_the_preset():
    config = dataclasses.replace(PRESETS["classic"], epochs=3, learning_rate=0.001)
    assert config.to_query() == {"preset": "classic", "epochs": "3", "learning_rate": "0.001"}


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 3, "batch_size": 1024},
        {"learning_rate": 1e-5},
        {"learning_rate": 0.00123456789},
        {"seed": 42},
        {"seed": 1234567},
        {"seed": 2**31 - 1},
        {"convolutions": ((16, 5, 2), (8, 3, 1)), "dense": ()},
        {"convolutions": (), "dense": (300, 20)},
        {"dropout": 0.25, "batch_normalization": False, "augmentation": False},
        {"optimizer": "sgd", "schedule": "constant", "weight_decay": 0.0},
        {"training_images": 100, "shuffled_labels": 0.5, "drawn_digits": 0},
        {"epochs": 20, "more_epochs": (4, 2)},
        {"epochs": 1, "convolutions": ((64, 7, 1), (64, 3, 2))},
        {"label_smoothing": 0.0, "looks": 1},
    ],
)
def test_an_address_gives_back_exactly_the_settings_it_was_made_of(changes):
    config = dataclasses.replace(PRESETS["cnn"], **changes)
    assert TrainConfig.from_query(config.to_query()) == (config, [])


# Each setting as something that no preset has, and as the address carries it.
TEXTS = {
    "convolutions": (((12, 7, 3), (4, 1, 1)), "12x7s3-4x1s1"),
    "dense": ((), "none"),
    "batch_normalization": (None, {True: "yes", False: "no"}),
    "dropout": (0.35, "0.35"),
    "augmentation": (None, {True: "yes", False: "no"}),
    "drawn_digits": (77, "77"),
    "weight_decay": (0.125, "0.125"),
    "label_smoothing": (0.3, "0.3"),
    "looks": (3, "3"),
    "optimizer": ("momentum", "momentum"),
    "schedule": ("linear", "linear"),
    "epochs": (11, "11"),
    "more_epochs": ((4, 2), "4-2"),
    "batch_size": (17, "17"),
    "learning_rate": (1.0, "1.0"),
    "training_images": (100, "100"),
    "shuffled_labels": (0.1, "0.1"),
    "seed": (2**31 - 1, "2147483647"),
}


def test_every_setting_may_be_in_the_address():
    assert {"preset", *ADDRESS_FIELDS} == {f.name for f in dataclasses.fields(TrainConfig)}
    assert {"preset", *TEXTS} == {f.name for f in dataclasses.fields(TrainConfig)}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", TEXTS)
def test_one_changed_setting_is_all_that_an_address_adds(name, preset):
    value, text = TEXTS[name]
    if isinstance(text, dict):
        value = not getattr(PRESETS[preset], name)
        text = text[value]
    config = dataclasses.replace(PRESETS[preset], **{name: value})
    assert config.to_query() == {"preset": preset, name: text}
    assert TrainConfig.from_query({"preset": preset, name: text}) == (config, [])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "layers",
    [
        {"convolutions": ((100, 3, 1),), "dense": ()},
        {"convolutions": ((32, 3, 1), (128, 1, 2)), "dense": (1,), "batch_normalization": False},
        {"convolutions": (), "dense": (1024, 100), "batch_normalization": True},
        {"convolutions": ((1, 1, 3),), "dense": (900, 900)},
    ],
)
def test_layers_are_read_together_even_where_one_would_not_go_with_the_presets_own(layers, preset):
    config = dataclasses.replace(PRESETS[preset], **layers)
    assert TrainConfig.from_query(config.to_query()) == (config, [])


def test_settings_of_a_preset_that_is_no_more_keep_their_values_in_the_address():
    config, problems = TrainConfig.from_query(TrainConfig(preset="forgotten").to_query())
    assert config == TrainConfig(preset="classic")
    assert len(problems) == 1


def test_what_is_of_use_in_an_address_is_used_where_the_rest_is_not():
    query = {"preset": "cnn", "epochs": "3", "dense": "1024-1024", "seed": "x", "looks": "9"}
    config, problems = TrainConfig.from_query(query)
    assert config == dataclasses.replace(PRESETS["cnn"], epochs=3)
    assert [problem.split()[0] for problem in problems] == ["Seed", "This", "Looks"]
    assert problems[1].endswith("Using 64.")


@pytest.mark.parametrize("epochs", [29, 30])
def test_a_run_goes_on_for_thirty_epochs_in_all_and_no_more(epochs):
    assert TrainConfig(epochs=epochs - 1, more_epochs=(31 - epochs,)).all_epochs == 30
    with pytest.raises(InvalidConfig, match=r"^A run has at most 30 epochs in all; add fewer\.$"):
        TrainConfig(epochs=epochs, more_epochs=(1, 1))


def test_a_network_too_large_or_too_slow_is_refused_with_a_way_out():
    with pytest.raises(InvalidConfig, match=r"1,863,690 parameters; 1,000,000 are allowed\. Use"):
        TrainConfig(dense=(1024, 1024))
    slow = {"convolutions": ((64, 5, 1), (64, 3, 2)), "dense": ()}
    with pytest.raises(InvalidConfig, match=r"too long on a machine that is shared\. Use fewer"):
        TrainConfig(**slow, epochs=30)
    assert TrainConfig(**slow, epochs=1)
    with pytest.raises(InvalidConfig, match=r"too long on a machine that is shared\."):
        TrainConfig(**slow, epochs=1, more_epochs=(29,))


def test_parameters_are_counted_with_biases_and_normalisation():
    # 784 pixels and a bias to 5, 5 and a bias to 10; with normalisation 4 numbers for a bias.
    assert TrainConfig(dense=(5,)).parameters == 785 * 5 + 6 * 10
    assert TrainConfig(dense=(5,), batch_normalization=True).parameters == 788 * 5 + 6 * 10


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_may_train_for_as_long_as_any_run(name):
    assert dataclasses.replace(PRESETS[name], epochs=LIMITS["epochs"][1])


def test_settings_stored_before_there_were_so_many_can_be_read():
    old = json.loads(PRESETS["classic"].to_json())
    for name in ("optimizer", "schedule", "more_epochs", "training_images", "shuffled_labels"):
        del old[name]
    assert TrainConfig.from_json(json.dumps(old)) == PRESETS["classic"]
    assert TrainConfig.from_json("{}") == TrainConfig()


def test_json_gives_back_what_runs_could_not_have_before():
    config = TrainConfig(
        optimizer="sgd",
        schedule="linear",
        epochs=20,
        more_epochs=(6, 4),
        training_images=100,
        shuffled_labels=0.3,
    )
    assert TrainConfig.from_json(config.to_json()) == config
    assert json.loads(config.to_json())["more_epochs"] == [6, 4]


def test_a_line_describes_what_differs_from_the_preset():
    config = dataclasses.replace(PRESETS["cnn"], epochs=3, dense=(), augmentation=False)
    assert describe(PRESETS["cnn"]) == "cnn"
    assert describe(config) == "cnn · epochs 3 · dense none · augmentation no"
    longer = TrainConfig(
        **dataclasses.asdict(PRESETS["classic"])
        | {"more_epochs": (4, 2), "training_images": 100, "shuffled_labels": 0.5}
    )
    assert (
        describe(longer) == "classic · more epochs 4-2 · training images 100 · shuffled labels 0.5"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dense", "many"),
        ("dense", "64-<b>"),
        ("dense", "9999999"),
        ("convolutions", "x5"),
        ("convolutions", "24x9s2"),
        ("convolutions", "24x5s2-" * 2000),
        ("augmentation", "maybe"),
        ("optimizer", "<script>"),
        ("schedule", ""),
        ("more_epochs", "-1"),
        ("more_epochs", "0"),
        ("more_epochs", "23"),
        ("more_epochs", "many"),
        ("training_images", "99"),
        ("shuffled_labels", "1.1"),
    ],
)
def test_an_address_with_no_such_setting_falls_back_with_a_sentence(name, text):
    config, problems = TrainConfig.from_query({"preset": "cnn", name: text})
    assert config == PRESETS["cnn"]
    assert len(problems) == 1
    assert "<" not in problems[0]
    assert " Using " in problems[0]


def test_the_sentence_is_of_the_setting_that_was_written():
    def sentence(name: str, text: str) -> str:
        return TrainConfig.from_query({name: text})[1][0]

    assert sentence("more_epochs", "many") == (
        "More epochs are written as numbers, such as 4-2. Using none."
    )
    assert sentence("augmentation", "true") == "Augmentation must be yes or no. Using no."
    assert sentence("dense", "many").startswith("Dense layers are written as their widths")
    assert sentence("convolutions", "many").startswith("Convolutions are written as filters x")


def test_an_empty_address_is_the_classic_preset():
    assert TrainConfig.from_query({}) == (PRESETS["classic"], [])


def test_parameters_of_other_pages_are_ignored():
    config, problems = TrainConfig.from_query({"run": "cnn", "true": "4096", "preset": "cnn"})
    assert (config, problems) == (PRESETS["cnn"], [])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("epochs", "1000000"),
        ("epochs", "-1"),
        ("epochs", "2.5"),
        ("epochs", "many"),
        ("epochs", ""),
        ("epochs", "nan"),
        ("epochs", "1e400"),
        ("epochs", "<script>"),
        ("batch_size", "0"),
        ("learning_rate", "inf"),
        ("learning_rate", "nan"),
        ("learning_rate", "5"),
        ("seed", "-3"),
        ("seed", "99999999999999999999"),
    ],
)
def test_a_parameter_of_no_use_is_named_and_the_presets_own_value_used(name, text):
    config, problems = TrainConfig.from_query({"preset": "cnn", name: text, "seed_of": "x"})
    assert config == PRESETS["cnn"]
    assert len(problems) == 1
    assert problems[0].startswith(name.replace("_", " ").capitalize())
    assert f"Using {getattr(PRESETS['cnn'], name):g}." in problems[0]


def test_what_a_stranger_typed_is_not_repeated():
    _, problems = TrainConfig.from_query({"preset": "<b>evil</b>", "epochs": "<script>"})
    assert len(problems) == 2
    assert not any("<" in problem for problem in problems)


def test_an_unknown_preset_gives_classic_with_the_rest_of_the_address():
    config, problems = TrainConfig.from_query({"preset": "huge", "epochs": "3"})
    assert config == dataclasses.replace(PRESETS["classic"], epochs=3)
    assert problems == ["There is no preset of that name; using classic."]
