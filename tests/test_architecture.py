import time

import pytest

from mnist_core import architecture
from mnist_core.config import PRESETS, TrainConfig
from mnist_core.errors import InvalidConfig, UserError
from mnist_core.training.models import build_model


@pytest.mark.parametrize(
    "config",
    [
        *PRESETS.values(),
        TrainConfig(dense=()),
        TrainConfig(dense=(7,), dropout=0.5),
        TrainConfig(convolutions=((3, 1, 3), (4, 7, 3)), dense=()),
        TrainConfig(convolutions=((5, 4, 1), (6, 3, 2)), batch_normalization=True, dropout=0.1),
        TrainConfig(convolutions=((1, 7, 3),) * 6, dense=(1,) * 6, batch_normalization=True),
        TrainConfig(convolutions=((2, 2, 2), (3, 6, 3), (4, 1, 1)), dense=(9,), dropout=0.8),
        TrainConfig(convolutions=((8, 3, 2),), dense=(), batch_normalization=True, dropout=0.3),
    ],
)
def test_the_layers_are_those_that_keras_builds(config):
    built = [
        (type(layer).__name__, layer.name, tuple(layer.output.shape[1:]), layer.count_params())
        for layer in build_model(config).layers
    ]
    assert [(x.kind, x.name, x.shape, x.parameters) for x in config.layers] == built
    assert config.parameters == build_model(config).count_params()


def test_multiplications_agree_with_hand_worked_examples():
    def of(config: TrainConfig) -> list[tuple[str, int]]:
        return [(x.kind, x.multiplications) for x in config.layers if x.multiplications]

    # At 14 x 14 places 2 filters of 3 x 3; 392 numbers to 10.
    convolution = TrainConfig(convolutions=((2, 3, 2),), dense=(), batch_normalization=True)
    assert of(convolution) == [("Conv2D", 14 * 14 * 2 * 9), ("Dense", 392 * 10)]
    # A second one sees the 2 of the first: at 5 x 5 places 4 filters of 2 x 5 x 5.
    second = TrainConfig(convolutions=((2, 3, 2), (4, 5, 3)), dense=())
    assert of(second)[1:] == [("Conv2D", 5 * 5 * 4 * 2 * 25), ("Dense", 100 * 10)]
    # 784 pixels to 5, 5 to 10.
    dense = TrainConfig(dense=(5,), dropout=0.5)
    assert of(dense) == [("Dense", 784 * 5), ("Dense", 5 * 10)]
    assert dense.multiplications == 784 * 5 + 5 * 10


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


@pytest.mark.parametrize("config", [*PRESETS.values(), TrainConfig(dense=(1024, 1, 7))])
def test_layers_written_as_text_are_read_as_the_same_layers(config):
    text = architecture.convolutions_text(config.convolutions)
    assert architecture.parse_convolutions(text) == config.convolutions
    assert architecture.parse_dense(architecture.dense_text(config.dense)) == config.dense


def test_no_layers_has_a_word_of_its_own():
    assert architecture.dense_text(()) == architecture.convolutions_text(()) == "none"
    for text in ("none", "", "  None "):
        assert architecture.parse_dense(text) == architecture.parse_convolutions(text) == ()


HUGE = ["x" * 10_000, "1" * 10_000, "1-" * 10_000, "-" * 10_000, "1" + " " * 10_000 + "x"]
NEITHER = [
    "１２",
    "٣٢",
    "1e3",
    "1.5",
    "+5",
    "-",
    "--",
    "-64",
    "64-",
    "64--32",
    "64,,32",
    "9999999",
    "<script>",
    "none-64",
    "24x",
    "x5",
    "24x5s",
    "24s2x5",
    "24xs2",
    "24×5s2",
    "\0",
]


def refusal(parse, text: str) -> str:
    with pytest.raises(InvalidConfig) as caught:
        parse(text)
    assert isinstance(caught.value, UserError)
    return str(caught.value)


@pytest.mark.parametrize("text", [*NEITHER, *HUGE], ids=lambda text: ascii(text[:12]))
def test_what_is_no_layers_is_refused_with_one_sentence(text):
    started = time.perf_counter()
    dense = refusal(architecture.parse_dense, text)
    convolutions = refusal(architecture.parse_convolutions, text)
    assert time.perf_counter() - started < 0.5
    assert dense == "Dense layers are written as their widths, such as 128-64."
    assert convolutions.startswith("Convolutions are written as filters x kernel s stride, such ")


@pytest.mark.parametrize("text", ["24x5s2", "24x5", "24s2"])
def test_convolutions_are_no_dense_layers(text):
    assert architecture.parse_convolutions(text)
    refusal(architecture.parse_dense, text)


def test_thousands_of_layers_are_refused_at_once():
    started = time.perf_counter()
    with pytest.raises(InvalidConfig, match=r"^Dense must be a list of at most 6\.$"):
        TrainConfig(dense=architecture.parse_dense("64-" * 3000 + "64"))
    assert time.perf_counter() - started < 0.5
