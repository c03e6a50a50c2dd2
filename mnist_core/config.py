"""TrainConfig: every choice that makes one training run, checked, and as plain text.

It round-trips to JSON (stored with each run) and to an address bar (a teacher's link).
It knows nothing of TensorFlow, so that pages can check settings without loading it.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnist_core.errors import InvalidConfig

# Lowest and highest value of every number a visitor may set. They bound the time and
# the memory that one run can take from everybody else on the machine.
LIMITS: dict[str, tuple[float, float]] = {
    "epochs": (1, 30),
    "batch_size": (16, 1024),
    "learning_rate": (1e-5, 0.1),
    "dropout": (0.0, 0.8),
    "label_smoothing": (0.0, 0.3),
    "weight_decay": (0.0, 0.3),
    "drawn_digits": (0, 10_000),
    "looks": (1, 5),
    "seed": (0, 2**31 - 1),
}
MAX_LAYERS = 6
MAX_UNITS = 1024
MAX_FILTERS = 128

# The settings the Train page offers, and so the ones an address may carry.
ADDRESS_FIELDS = ("epochs", "batch_size", "learning_rate", "seed")


@dataclass(frozen=True)
class TrainConfig:
    """One training run's settings.

    Attributes:
        preset: name of the entry of ``PRESETS`` this one started from.
        convolutions: one ``(filters, kernel side in pixels, stride in pixels)`` for each
            convolution, in order. Empty: the picture is flattened at once.
        dense: units of each hidden dense layer, in order.
        batch_normalization: normalise after each convolution and hidden dense layer.
        dropout: share of hidden units silenced at each step, 0 to 0.8.
        augmentation: show each training image turned, bent, with another pen; less and
            less so from epoch to epoch, so that it ends with images nearly as they are.
        drawn_digits: train also on so many digits that the project drew itself, with
            habits that MNIST has few of, and on a tenth as many scribbles; 0 to 10,000.
        weight_decay: share of each weight, times the learning rate, that is lost at each
            step (AdamW), 0 to 0.3.
        label_smoothing: share of certainty taken from the true digit, 0 to 0.3.
        looks: how often the trained network looks at a picture, each time moved by a
            pixel, before it answers; 1 to 5. It changes nothing in training.
        epochs: passes over the training images, 1 to 30.
        batch_size: images per step, 16 to 1024.
        learning_rate: highest learning rate of the warm-up and cosine schedule.
        seed: start of every random choice: first weights, split, order, augmentation.

    Raises:
        InvalidConfig: a value is out of its range or of the wrong kind.
    """

    preset: str = "classic"
    convolutions: tuple[tuple[int, int, int], ...] = ()
    dense: tuple[int, ...] = (128, 64)
    batch_normalization: bool = False
    dropout: float = 0.0
    augmentation: bool = False
    drawn_digits: int = 0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    looks: int = 1
    epochs: int = 8
    batch_size: int = 128
    learning_rate: float = 0.004
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "drawn_digits", "looks", "seed"):
            _check_number(name, getattr(self, name), whole=True)
        for name in ("learning_rate", "dropout", "weight_decay", "label_smoothing"):
            _check_number(name, getattr(self, name), whole=False)
        for name in ("batch_normalization", "augmentation"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidConfig(f"{_words(name)} must be true or false.")
        if not isinstance(self.preset, str) or len(self.preset) > 40:
            raise InvalidConfig("Preset must be a name of at most 40 characters.")
        self._check_layers()

    def _check_layers(self) -> None:
        for name in ("convolutions", "dense"):
            layers = getattr(self, name)
            if not isinstance(layers, tuple) or len(layers) > MAX_LAYERS:
                raise InvalidConfig(f"{_words(name)} must be a list of at most {MAX_LAYERS}.")
        for units in self.dense:
            if not _is_whole(units) or not 1 <= units <= MAX_UNITS:
                raise InvalidConfig(f"A dense layer must have 1 to {MAX_UNITS} units.")
        for convolution in self.convolutions:
            three = isinstance(convolution, tuple) and len(convolution) == 3
            if not three or not all(_is_whole(value) for value in convolution):
                raise InvalidConfig("A convolution is three numbers: filters, kernel, stride.")
            filters, kernel, stride = convolution
            if not (1 <= filters <= MAX_FILTERS and 1 <= kernel <= 7 and 1 <= stride <= 3):
                raise InvalidConfig(
                    f"A convolution has 1 to {MAX_FILTERS} filters, a kernel of 1 to 7 pixels "
                    "and a stride of 1 to 3."
                )

    def to_json(self) -> str:
        """The settings as one JSON object, keys in alphabetical order."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "TrainConfig":
        """Read what ``to_json`` wrote; unknown keys are refused.

        Raises:
            InvalidConfig: the text is not such an object, or a value is out of range.
        """
        try:
            values = json.loads(text)
            values["dense"] = tuple(values.get("dense", ()))
            values["convolutions"] = tuple(map(tuple, values.get("convolutions", ())))
            return cls(**values)
        except InvalidConfig:
            raise
        except (ValueError, TypeError, AttributeError) as error:
            raise InvalidConfig(
                "These settings cannot be read; were they written by a newer version?"
            ) from error

    def to_query(self) -> dict[str, str]:
        """The settings as address parameters: the preset, and what differs from it."""
        query = {"preset": self.preset}
        base = PRESETS.get(self.preset, TrainConfig())
        for name in ADDRESS_FIELDS:
            if getattr(self, name) != getattr(base, name):
                query[name] = str(getattr(self, name))
        return query

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> tuple["TrainConfig", list[str]]:
        """Read address parameters that anyone may have typed.

        Parameters that do not belong to a training run are ignored.

        Returns:
            The settings, with the preset's own value wherever the address is no use, and
            one sentence for each parameter that was not used.
        """
        problems = []
        name = query.get("preset", "classic")
        if name not in PRESETS:
            problems.append(f"There is no preset of that name; using {cls.preset}.")
            name = cls.preset
        config = PRESETS[name]
        for field in ADDRESS_FIELDS:
            if field not in query:
                continue
            try:
                value: Any = float(query[field])
                if field != "learning_rate" and value == math.floor(value):
                    value = int(value)
                config = dataclasses.replace(config, **{field: value})
            except InvalidConfig as error:
                problems.append(f"{error} Using {getattr(config, field)}.")
            except (ValueError, OverflowError):
                problems.append(
                    f"{_words(field)} must be a number. Using {getattr(config, field)}."
                )
        return config, problems


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _check_number(name: str, value: object, whole: bool) -> None:
    low, high = LIMITS[name]
    right_kind = _is_whole(value) or (not whole and isinstance(value, float))
    if not right_kind or not low <= value <= high:  # type: ignore[operator]
        kind = "a whole number" if whole else "a number"
        raise InvalidConfig(f"{_words(name)} must be {kind} from {low} to {high}.")


PRESETS: dict[str, TrainConfig] = {
    # The network of the first notebook: 784 pixels, 128 and 64 units, 10 digits.
    "classic": TrainConfig(drawn_digits=3000, batch_size=256, learning_rate=0.006),
    # The network that reads drawings. Strides instead of pooling, and 4x4 places at the
    # end, keep it small.
    "cnn": TrainConfig(
        preset="cnn",
        convolutions=((24, 5, 2), (48, 3, 2), (64, 3, 1), (64, 3, 2)),
        dense=(64,),
        batch_normalization=True,
        dropout=0.1,
        augmentation=True,
        drawn_digits=10_000,
        weight_decay=0.03,
        label_smoothing=0.05,
        looks=5,
        epochs=18,
        batch_size=256,
        learning_rate=0.006,
    ),
}
