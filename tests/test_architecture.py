import keras
import pytest

from mnist_core import architecture
from mnist_core.config import PRESETS, TrainConfig
from mnist_core.errors import InvalidConfig
from mnist_core.models import build_model


@pytest.mark.parametrize(
    "config",
    [
        *PRESETS.values(),
        TrainConfig(dense=()),
        TrainConfig(dense=(7,), dropout=0.5),
        TrainConfig(convolutions=((3, 1, 3), (4, 7, 3)), dense=()),
        TrainConfig(convolutions=((5, 4, 1), (6, 3, 2)), batch_normalization=True, dropout=0.1),
    ],
)
def test_the_layers_are_those_that_keras_builds(config):
    built = [
        architecture.Layer(
            type(layer).__name__, tuple(layer.output.shape[1:]), layer.count_params()
        )
        for layer in build_model(config).layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]
    told = [
        architecture.Layer(layer.name, layer.shape, layer.parameters) for layer in config.layers
    ]
    assert told == built
    assert config.parameters == build_model(config).count_params()


def test_multiplications_agree_with_a_hand_worked_example():
    config = TrainConfig(convolutions=((2, 3, 2),), dense=(5,))
    # 14 x 14 places, 2 filters of 3 x 3; 392 numbers to 5; 5 to 10.
    assert config.multiplications == 14 * 14 * 2 * 9 + 392 * 5 + 5 * 10


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("none", ()),
        ("", ()),
        ("  None ", ()),
        ("16", ((16, 3, 2),)),
        ("16, 32", ((16, 3, 2), (32, 3, 2))),
        ("16x5-32s1", ((16, 5, 2), (32, 3, 1))),
        ("24x5s2-48x3s2", ((24, 5, 2), (48, 3, 2))),
    ],
)
def test_convolutions_can_be_typed_in_short_or_in_full(text, layers):
    assert architecture.parse_convolutions(text) == layers
    assert architecture.parse_convolutions(architecture.convolutions_text(layers)) == layers


@pytest.mark.parametrize("text", ["128-64", "128, 64", "128 64", " 128 ,64 ", "128;64"])
def test_dense_layers_can_be_typed_as_people_do(text):
    assert architecture.parse_dense(text) == (128, 64)


@pytest.mark.parametrize(
    "text",
    ["１２", "1e3", "-", "--", "9999999", "<script>", "64-", "1.5", "x" * 10_000, "1-" * 10_000],
)
def test_what_is_no_layers_is_refused_with_a_sentence(text):
    for parse in (architecture.parse_dense, architecture.parse_convolutions):
        with pytest.raises(
            InvalidConfig, match=r"^(Dense layers|Convolutions) are written as .*\.$"
        ):
            parse(text)
