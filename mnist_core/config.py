"""TrainConfig: the validated settings of a training run, as JSON and as parameters of a link.

Loads no TensorFlow, so pages can check settings.
"""

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnist_core import architecture
from mnist_core.errors import InvalidConfig

# Share of the training images set aside for validation.
VALIDATION_SHARE = 0.1
# One scribble, which is no digit, for this many drawn digits.
SCRIBBLE_EVERY = 10
# Bounds of every number a visitor may set: they limit the time and memory of a run.
LIMITS: dict[str, tuple[float, float]] = {
    "epochs": (1, 30),
    "batch_size": (16, 1024),
    "learning_rate": (1e-5, 1.0),
    "dropout": (0.0, 0.8),
    "label_smoothing": (0.0, 0.3),
    "weight_decay": (0.0, 0.3),
    "drawn_digits": (0, 10_000),
    "training_images": (100, 60_000),
    "shuffled_labels": (0.0, 1.0),
    "looks": (1, 5),
    "seed": (0, 2**31 - 1),
}
WHOLE = ("epochs", "batch_size", "drawn_digits", "training_images", "looks", "seed")
MAX_LAYERS = 6
MAX_UNITS = 1024
MAX_FILTERS = 128
MAX_PARAMETERS = 1_000_000
# Multiply-adds for each image, over all epochs: about four times the largest preset's.
MAX_MULTIPLICATIONS = 200_000_000
CHOICES: dict[str, tuple[str, ...]] = {
    "optimizer": ("adam", "momentum", "sgd"),
    "schedule": ("cosine", "linear", "constant"),
}


@dataclass(frozen=True)
class TrainConfig:
    """One training run's settings.

    Attributes:
        preset: name of the entry of ``PRESETS`` this one started from.
        convolutions, dense: ``(filters, kernel side, stride)`` of each convolution, in pixels, and
            units of each hidden dense layer.
        batch_normalization: normalise after each convolution and hidden dense layer.
        dropout: share of hidden units dropped at each step, 0 to 0.8.
        augmentation: distort the training images, less from epoch to epoch.
        drawn_digits: number of the project's own drawings to train on as well, with styles that
            are rare in MNIST, and a tenth as many scribbles; 0 to 10,000.
        weight_decay: decoupled weight decay (AdamW), 0 to 0.3.
        label_smoothing: 0 to 0.3.
        looks: test-time augmentation: views of a picture, each shifted by a pixel, to average
            over, 1 to 5.
        optimizer: "adam", "sgd", or "momentum": SGD with a Nesterov momentum of 0.9.
        schedule: "cosine" or "linear" to 0, after a warm-up in a tenth of the steps; or "constant".
        epochs: passes over the training images, 1 to 30.
        more_epochs: epochs added each time the run was continued, with a new schedule.
        batch_size: images per step, 16 to 1024.
        learning_rate: the peak of the schedule, 1e-5 to 1.
        training_images: the most of MNIST's images to train on, 100 to 60,000, stratified; the
            drawn digits are reduced by the same share.
        shuffled_labels: share of the training labels replaced at random, 0 to 1.
        seed: of every random choice: initial weights, split, order, augmentation.

    Raises:
        InvalidConfig: a value is out of range or of the wrong type.
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
    optimizer: str = "adam"
    schedule: str = "cosine"
    epochs: int = 8
    more_epochs: tuple[int, ...] = ()
    batch_size: int = 128
    learning_rate: float = 0.004
    training_images: int = 60_000
    shuffled_labels: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in LIMITS:
            _check_number(name, getattr(self, name), whole=name in WHOLE)
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise InvalidConfig(f"{words(name)} must be one of {', '.join(choices)}.")
        for name in ("batch_normalization", "augmentation"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidConfig(f"{words(name)} must be true or false.")
        if not isinstance(self.preset, str) or len(self.preset) > 40:
            raise InvalidConfig("Preset must be a name of at most 40 characters.")
        self._check_more_epochs()
        self._check_layers()
        self._check_cost()

    @property
    def all_epochs(self) -> int:
        """All epochs, including those added later."""
        return self.epochs + sum(self.more_epochs)

    @property
    def layers(self) -> list[architecture.Layer]:
        """The network's layers, in order."""
        return architecture.layers(
            self.convolutions, self.dense, self.batch_normalization, self.dropout
        )

    @property
    def parameters(self) -> int:
        """Number of parameters of the network."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiplications(self) -> int:
        """Multiply-adds per image in a forward pass."""
        return sum(layer.multiplications for layer in self.layers)

    def fit_images(self, training_images: int) -> int:
        """About how many images it is trained on, of a dataset with this many training images."""
        return min(self.training_images, round((1 - VALIDATION_SHARE) * training_images))

    def drawn_images(self, training_images: int) -> int:
        """How many of the project's own drawings it is trained on as well, scribbles included."""
        available = round((1 - VALIDATION_SHARE) * training_images)
        share = min(1.0, self.training_images / max(available, 1))
        digits = round(share * self.drawn_digits)
        return digits + digits // SCRIBBLE_EVERY

    def _check_more_epochs(self) -> None:
        more = self.more_epochs
        if not isinstance(more, tuple) or not all(_is_whole(part) and part > 0 for part in more):
            raise InvalidConfig("More epochs must be a list of whole numbers above 0.")
        most = int(LIMITS["epochs"][1])
        if self.all_epochs > most:
            raise InvalidConfig(f"A run has at most {most} epochs in all; add fewer.")

    def _check_cost(self) -> None:
        if self.parameters > MAX_PARAMETERS:
            raise InvalidConfig(
                f"This network has {self.parameters:,} parameters; {MAX_PARAMETERS:,} are allowed. "
                "Use narrower dense layers, or larger strides before them."
            )
        if self.multiplications * self.all_epochs > MAX_MULTIPLICATIONS:
            raise InvalidConfig(
                "This training would take too long on a machine that is shared. "
                "Use fewer filters, larger strides or fewer epochs."
            )

    def _check_layers(self) -> None:
        for name in ("convolutions", "dense"):
            layers = getattr(self, name)
            if not isinstance(layers, tuple) or len(layers) > MAX_LAYERS:
                raise InvalidConfig(f"{words(name)} must be a list of at most {MAX_LAYERS}.")
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
            for name in {"dense", "more_epochs"} & values.keys():
                values[name] = tuple(values[name])
            if "convolutions" in values:
                values["convolutions"] = tuple(map(tuple, values["convolutions"]))
            return cls(**values)
        except InvalidConfig:
            raise
        except (ValueError, TypeError, AttributeError) as error:
            raise InvalidConfig(
                "These settings cannot be read; were they written by a newer version?"
            ) from error

    def to_query(self) -> dict[str, str]:
        """The settings as parameters of a link: the preset, and what differs from it."""
        base = PRESETS.get(self.preset, PRESETS["classic"])
        return {"preset": self.preset} | {
            name: to_text(name, getattr(self, name))
            for name in ADDRESS_FIELDS
            if getattr(self, name) != getattr(base, name)
        }

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> tuple["TrainConfig", list[str]]:
        """Read the parameters of a link, which anyone may have typed; others are ignored.

        Returns:
            The settings, with the preset's value for each invalid parameter, and one sentence
            about each of those.
        """
        problems = []
        name = query.get("preset", "classic")
        if name not in PRESETS:
            problems.append(f"There is no preset of that name; using {cls.preset}.")
            name = cls.preset
        config = PRESETS[name]
        using = {name: f"Using {to_text(name, getattr(config, name))}." for name in ADDRESS_FIELDS}
        values: dict[str, Any] = {}
        for field in [name for name in ADDRESS_FIELDS if name in query]:
            try:
                values[field] = from_text(field, query[field])
            except InvalidConfig as error:
                problems.append(f"{error} {using[field]}")
            except (ValueError, OverflowError):
                problems.append(f"{words(field)} must be a number. {using[field]}")
        # All at once first, because some values are only valid together; then one by one, to
        # find those that are not.
        with contextlib.suppress(InvalidConfig):
            return dataclasses.replace(config, **values), problems
        for field, value in values.items():
            try:
                config = dataclasses.replace(config, **{field: value})
            except InvalidConfig as error:
                problems.append(f"{error} {using[field]}")
        return config, problems


def describe(config: TrainConfig) -> str:
    """The settings in one line: the preset, and what differs from it."""
    query = config.to_query()
    parts = [f"{words(name).lower()} {query[name]}" for name in ADDRESS_FIELDS if name in query]
    return " · ".join([config.preset, *parts])


def words(name: str) -> str:
    """A setting's name for people, such as "Batch size"."""
    return name.replace("_", " ").capitalize()


def to_text(name: str, value: Any) -> str:
    """A setting's value as it appears in a link."""
    if name == "convolutions":
        return architecture.convolutions_text(value)
    if name in ("dense", "more_epochs"):
        return architecture.dense_text(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(value) if isinstance(value, float) else str(value)


def from_text(name: str, text: str) -> Any:
    """Read what ``to_text`` wrote or somebody typed. Raises ValueError or OverflowError."""
    if name == "convolutions":
        return architecture.parse_convolutions(text)
    if name == "dense":
        return architecture.parse_dense(text)
    if name == "more_epochs":
        with contextlib.suppress(InvalidConfig):
            return architecture.parse_dense(text)
        raise InvalidConfig("More epochs are written as numbers, such as 4-2.")
    if name in ("batch_normalization", "augmentation"):
        if text not in ("yes", "no"):
            raise InvalidConfig(f"{words(name)} must be yes or no.")
        return text == "yes"
    if name in CHOICES:
        return text
    number = float(text)
    return int(number) if name in WHOLE and number == int(number) else number


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_number(name: str, value: object, whole: bool) -> None:
    low, high = LIMITS[name]
    right_kind = _is_whole(value) or (not whole and isinstance(value, float))
    if not right_kind or not low <= value <= high:  # type: ignore[operator]
        kind = "a whole number" if whole else "a number"
        raise InvalidConfig(f"{words(name)} must be {kind} from {low} to {high}.")


PRESETS: dict[str, TrainConfig] = {
    "classic": TrainConfig(drawn_digits=3000, batch_size=256, learning_rate=0.006),
    # Above 99% in the time a class will watch.
    "quick": TrainConfig(
        preset="quick",
        convolutions=((16, 5, 2), (32, 3, 2)),
        dense=(64,),
        batch_normalization=True,
        drawn_digits=3000,
        looks=5,
        epochs=4,
        batch_size=256,
        learning_rate=0.01,
    ),
    # The network that reads drawings. Strides instead of pooling keep it small.
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

# The settings that a link may have besides the preset. Epochs come before layers, because fewer
# epochs may allow larger layers.
ADDRESS_FIELDS = tuple(
    sorted(
        (field.name for field in dataclasses.fields(TrainConfig) if field.name != "preset"),
        key=lambda name: "epochs" not in name,
    )
)
