"""train: settings and a dataset -> a trained network, telling of its progress in numbers.

Keras's ``fit`` goes back to Python after every step, which costs more than the step
itself for networks this small. Here one compiled function runs many steps a call over
images held in memory; loss, optimizer, schedule and layers are Keras's own. Nobody
listening is known here: one callback is told plain numbers, and one is asked whether to
stop. Loads TensorFlow.
"""

import dataclasses
import math
import mmap
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from mnist_core.analysis.calibration import Calibration, calibrate
from mnist_core.augmentation import LAST_STRENGTH, augment, strength_in
from mnist_core.checkpoint import Checkpoint
from mnist_core.config import PRESETS, TrainConfig
from mnist_core.data import (
    CLASSES,
    SIDE,
    VALIDATION_SHARE,
    Dataset,
    give_back,
    scale,
    stratified_split,
)
from mnist_core.drawing.synthetic import SCRIBBLE, choose_drawn, load_drawn
from mnist_core.errors import CannotResume
from mnist_core.looks import predict_in_looks
from mnist_core.models import build_model
from mnist_core.progress import Progress

# A call of the compiled function should take about this long: the callback is then told
# ten times a second, and calling costs little beside the steps.
SECONDS_PER_CALL = 0.1
EVALUATION_BATCH = 500
IMAGES_AT_ONCE = 5000
MOMENTUM = 0.9
# A network that has settled is only unsettled by the learning rate it began with; epochs
# added later begin with this share of it.
LATER_SHARE = 0.1
# Of the losses, and of the right answers.
Sums = tuple[tf.Tensor, tf.Tensor]
CURVES = ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy")


@dataclass(frozen=True)
class TrainResult:
    """A finished, or stopped, training.

    Attributes:
        model: the trained network, calibrated.
        calibration: how it was, and from where on its answers are to be believed.
        test_accuracy: share of the test images read rightly, 0 to 1.
        test_probabilities: float32 (n, 10), for every test image in order, from as many
            looks as the settings ask for. The curves' validation points are of one look.
        train_seconds: the steps alone: no import, no evaluation, no export.
        history: for each finished epoch "epoch", "loss", "accuracy",
            "validation_loss" and "validation_accuracy", as lists of equal length.
        parameters: trainable and other numbers in the network.
        epochs: epochs finished.
        stopped: whether it ended early because ``should_stop`` said so.
        checkpoint: from where it can go on; of the network before it was calibrated.
    """

    model: keras.Model
    calibration: Calibration
    test_accuracy: float
    test_probabilities: np.ndarray
    train_seconds: float
    history: dict[str, list[float]]
    parameters: int
    epochs: int
    stopped: bool
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Choice:
    """Which images a run sees.

    Attributes:
        fit: int64 (n,), places among ``hold``'s images of those trained on.
        labels: uint8 (n,), what the run is told of them; some ``SCRIBBLE``.
        validation: int64 (m,), places among the training images of those set aside.
    """

    fit: np.ndarray
    labels: np.ndarray
    validation: np.ndarray


@dataclass(frozen=True)
class Trainer:
    """A network, its optimizer and the functions compiled for them, for one run at a time.

    Attributes:
        key: the settings it is for, with seed 0, and the steps of an epoch.
        forward: float32 (n, 28, 28), 0 to 1 -> probabilities, float32 (n, 10).
        run_steps: as ``compile_steps`` returns it.
    """

    key: tuple[TrainConfig, int]
    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    schedule: "LearningRate"
    forward: Callable[[tf.Tensor], tf.Tensor]
    run_steps: Callable[..., Sums]


# The trainer of the last run: compiling takes longer than a run's first steps, and most
# runs of a class have the same settings. Whoever uses it takes it out meanwhile.
_spare: dict[tuple[TrainConfig, int], Trainer] = {}
# The last dataset's images, of which another copy would be 56 MB for nothing.
_held: list[tuple[Dataset, tf.Tensor]] = []


class Diverged(ArithmeticError):
    """The loss is no longer a number; the message says what to try."""


def train(
    config: TrainConfig,
    dataset: Dataset,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    on_checkpoint: Callable[[Checkpoint], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainResult:
    """Train a network, and test it once at the end.

    A tenth of the training images, stratified, is set aside for validation and never
    trained on; its probabilities are calibrated with them at the end. Same settings, data
    and machine give the same network, however often progress is reported, and however
    often it was stopped and went on from a checkpoint.

    Args:
        config: the settings.
        dataset: its test images are looked at only after the last step.
        on_progress: called some ten times a second, and at the end of each epoch.
        should_stop: asked as often; once it says True the network is kept as it is.
        on_checkpoint: called at the end of each epoch, just before ``on_progress``.
        checkpoint: go on from there, instead of from the start.

    Raises:
        Diverged: the loss became infinite or not a number.
        CannotResume: the checkpoint is of other settings or of other images.
    """
    report = on_progress or (lambda progress: None)
    stop = should_stop or (lambda: False)
    images = hold(dataset)
    choice = choose_images(config, dataset)
    y_fit = choice.labels
    checksum = zlib.crc32(y_fit.tobytes())
    x_validation = tf.gather(images, choice.validation).numpy()
    y_validation = dataset.y_train[choice.validation]

    steps_per_epoch = math.ceil(len(y_fit) / config.batch_size)
    steps = steps_per_epoch * config.all_epochs
    trainer = _take(config, steps_per_epoch)
    network, optimizer = trainer.model, trainer.optimizer
    model = build_model(config)
    _restore(network.variables, [variable.value for variable in model.variables])
    _restore(optimizer.variables, [tf.zeros_like(variable) for variable in optimizer.variables])

    step, seconds, epoch_loss, epoch_correct = 0, 0.0, 0.0, 0.0
    history: dict[str, list[float]] = {name: [] for name in CURVES}
    if checkpoint:
        if checkpoint.images != checksum:
            raise CannotResume(
                "The digits this run was trained with are no longer those at hand, so it cannot "
                "go on; start it anew."
            )
        _restore(network.variables, checkpoint.model)
        _restore(optimizer.variables, checkpoint.optimizer)
        step, seconds = checkpoint.step, checkpoint.seconds
        epoch_loss, epoch_correct = checkpoint.epoch_loss, checkpoint.epoch_correct
        history = {name: list(checkpoint.history[name]) for name in CURVES}

    def state() -> Checkpoint:
        return Checkpoint(
            step=step,
            seconds=seconds,
            epoch_loss=epoch_loss,
            epoch_correct=epoch_correct,
            history={name: list(values) for name, values in history.items()},
            images=checksum,
            model=[variable.value.numpy() for variable in network.variables],
            optimizer=[variable.value.numpy() for variable in optimizer.variables],
        )

    stopped, compiled, steps_per_call = stop(), False, 1
    while step < steps and not stopped:
        epoch, done = divmod(step, steps_per_epoch)
        order = np.random.default_rng((config.seed, epoch)).permutation(len(y_fit))
        is_digit = y_fit[order] != SCRIBBLE
        # Epochs added later go on with images as they were at the end.
        strength = strength_in(epoch, config.epochs) if epoch < config.epochs else LAST_STRENGTH
        while done < steps_per_epoch and not stopped:
            count = steps_per_epoch - done
            # The rest of an epoch goes into one call unless it is clearly more than one:
            # the mean over a few left-over steps would be a spike in the curve.
            if count > 1.5 * steps_per_call:
                count = steps_per_call
            started = time.perf_counter()
            sums = trainer.run_steps(
                images, choice, order, done, count, step, strength, config.seed
            )
            loss_sum, correct = (float(value) for value in sums)
            elapsed = time.perf_counter() - started
            seconds += elapsed
            # The first call also compiles, so its time says nothing about the next.
            if compiled:
                wished = SECONDS_PER_CALL / max(elapsed / count, 1e-6)
                steps_per_call = max(1, min(int(wished), 2 * steps_per_call))
            compiled = True
            _check_finite(loss_sum, step + count, config)
            batches = slice(done * config.batch_size, (done + count) * config.batch_size)
            digits = max(int(is_digit[batches].sum()), 1)
            done += count
            step += count
            epoch_loss += loss_sum
            epoch_correct += correct
            progress = Progress(
                step=step,
                epoch=epoch + done / steps_per_epoch,
                loss=loss_sum / digits,
                accuracy=correct / digits,
                learning_rate=float(trainer.schedule(step)),
                seconds=seconds,
            )
            if done < steps_per_epoch:
                report(progress)
            stopped = stop()
        if done < steps_per_epoch:
            break
        probabilities = predict(trainer.forward, x_validation)
        validation_loss = cross_entropy(probabilities, y_validation)
        # The last step before it may have been the one that went too far.
        _check_finite(validation_loss, step, config)
        progress = dataclasses.replace(
            progress,
            validation_loss=validation_loss,
            validation_accuracy=accuracy(probabilities, y_validation),
        )
        digits_in_epoch = max(int(is_digit.sum()), 1)
        for name, value in (
            ("epoch", epoch + 1),
            ("loss", epoch_loss / digits_in_epoch),
            ("accuracy", epoch_correct / digits_in_epoch),
            ("validation_loss", progress.validation_loss),
            ("validation_accuracy", progress.validation_accuracy),
        ):
            history[name].append(float(value or 0.0))
        epoch_loss = epoch_correct = 0.0
        if on_checkpoint:
            on_checkpoint(state())
        report(progress)

    def answers(pictures: np.ndarray) -> np.ndarray:
        return predict_in_looks(lambda part: predict(trainer.forward, part), pictures, config.looks)

    end = state()
    calibration = calibrate(answers(x_validation), y_validation)
    divide_logits(network, calibration.temperature)
    test_probabilities = answers(dataset.x_test)
    _restore(model.variables, [variable.value for variable in network.variables])
    _put_back(trainer)
    return TrainResult(
        model=model,
        calibration=calibration,
        test_accuracy=accuracy(test_probabilities, dataset.y_test),
        test_probabilities=test_probabilities,
        train_seconds=seconds,
        history=history,
        parameters=model.count_params(),
        epochs=len(history["epoch"]),
        stopped=step < steps,
        checkpoint=end,
    )


def _check_finite(loss: float, step: int, config: TrainConfig) -> None:
    if not math.isfinite(loss):
        raise Diverged(
            f"The loss stopped being a number at step {step}. "
            f"Try a learning rate below {config.learning_rate:g}."
        )


def warm_up(dataset: Dataset) -> None:
    """Take one step as a run of ``classic`` does, so that such a run has nothing to wait for."""
    config = PRESETS["classic"]
    choice = choose_images(config, dataset)
    trainer = _take(config, math.ceil(len(choice.labels) / config.batch_size))
    order = np.arange(len(choice.labels))
    trainer.run_steps(hold(dataset), choice, order, 0, 1, 0, 1.0, config.seed)
    predict(trainer.forward, dataset.x_test[:EVALUATION_BATCH])
    _put_back(trainer)


def hold(dataset: Dataset) -> tf.Tensor:
    """All images there are to train on, in one tensor that all runs share.

    Returns:
        uint8 (n, 28, 28): the dataset's training images, then the project's own drawings.
    """
    if not _held or _held[0][0] is not dataset:
        _held.clear()
        drawn, _ = load_drawn()
        count = len(dataset.x_train)
        # Filled bit by bit and then lent to TensorFlow, which takes whole pages as they
        # are: each copy on the way would be another 56 MB that never comes back.
        shape = count + len(drawn), SIDE, SIDE
        pages = mmap.mmap(-1, math.prod(shape))
        images = np.frombuffer(pages, np.uint8).reshape(shape)
        for start in range(0, count, IMAGES_AT_ONCE):
            part = dataset.x_train[start : start + IMAGES_AT_ONCE]
            images[start : start + len(part)] = part
            give_back(dataset.x_train)
        images[count:] = drawn
        _held.append((dataset, tf.experimental.dlpack.from_dlpack(images.__dlpack__())))
    return _held[0][1]


def choose_images(config: TrainConfig, dataset: Dataset) -> Choice:
    """The images to train on and to validate with, as the settings say.

    Labels are shuffled among the images trained on only, the project's own drawings
    included: validation tells the truth.
    """
    fit, validation = stratified_split(dataset.y_train, VALIDATION_SHARE, config.seed)
    share = min(1.0, config.training_images / len(fit))
    if share < 1:
        fit = fit[stratified_split(dataset.y_train[fit], share, config.seed)[1]]
    drawn, y_drawn = choose_drawn(round(share * config.drawn_digits))
    labels = np.concatenate([dataset.y_train[fit], y_drawn])
    if config.shuffled_labels:
        random = np.random.default_rng(config.seed)
        digits = random.permutation(np.flatnonzero(labels != SCRIBBLE))
        chosen = digits[: round(config.shuffled_labels * len(digits))]
        labels[chosen] = labels[random.permutation(chosen)]
    return Choice(np.concatenate([fit, len(dataset.x_train) + drawn]), labels, validation)


def _take(config: TrainConfig, steps_per_epoch: int) -> Trainer:
    """A trainer for these settings: the spare one if it is of the same, or a new one."""
    # The seed is told at each step; all else is part of what is compiled.
    key = dataclasses.replace(config, seed=0), steps_per_epoch
    trainer = _spare.pop(key, None)
    return trainer or _build_trainer(*key)


def _put_back(trainer: Trainer) -> None:
    """Keep this trainer, and no other, for the next run of the same settings."""
    _spare.clear()
    _spare[trainer.key] = trainer


def _build_trainer(config: TrainConfig, steps_per_epoch: int) -> Trainer:
    model = build_model(config)
    schedule = learning_rate_schedule(config, steps_per_epoch)
    optimizer = build_optimizer(config, schedule)
    optimizer.build(model.trainable_variables)
    return Trainer(
        key=(config, steps_per_epoch),
        model=model,
        optimizer=optimizer,
        schedule=schedule,
        forward=tf.function(
            lambda x: model(x, training=False),
            input_signature=[tf.TensorSpec([None, SIDE, SIDE], tf.float32)],
        ),
        run_steps=compile_steps(model, optimizer, config),
    )


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The learning rate at each step of a run, which may have several parts.

    In each part: up from a twentieth of the peak over the first tenth of the steps, then
    down to nothing, along a cosine or a line; or always at the peak, which is
    ``LATER_SHARE`` of the first part's in all later ones. Warm-up: Goyal et al.
    2017, arXiv:1706.02677. Cosine, begun anew in each part: Loshchilov and Hutter 2016,
    arXiv:1608.03983.
    """

    def __init__(self, kind: str, peak: float, parts: list[int]) -> None:
        """kind: "cosine", "linear" or "constant"; parts: steps of each part."""
        self._kind, self._peak, self._parts = kind, peak, parts

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        rate = self._within(step, self._peak, self._parts[0])
        start = self._parts[0]
        for length in self._parts[1:]:
            later = self._within(step - start, LATER_SHARE * self._peak, length)
            rate = tf.where(step >= start, later, rate)
            start += length
        return rate

    def _within(self, step: tf.Tensor, peak: float, length: int) -> tf.Tensor:
        warmup = max(1, length // 10)
        if self._kind == "constant":
            return tf.constant(peak, tf.float32)
        if self._kind == "cosine":
            cosine = keras.optimizers.schedules.CosineDecay(
                initial_learning_rate=peak / 20,
                decay_steps=max(1, length - warmup),
                warmup_target=peak,
                warmup_steps=warmup,
            )
            return cosine(step)
        rising = peak * (0.05 + 0.95 * step / warmup)
        falling = peak * (length - step) / max(1, length - warmup)
        return tf.where(step < warmup, rising, tf.maximum(falling, 0.0))


def learning_rate_schedule(config: TrainConfig, steps_per_epoch: int) -> LearningRate:
    """The learning rate over a whole run, epochs added later included."""
    parts = [epochs * steps_per_epoch for epochs in (config.epochs, *config.more_epochs)]
    return LearningRate(config.schedule, config.learning_rate, parts)


def build_optimizer(config: TrainConfig, schedule: LearningRate) -> keras.optimizers.Optimizer:
    """Keras's optimizer of these settings; with weight decay Adam is AdamW."""
    decay = config.weight_decay or None
    if config.optimizer == "adam":
        return keras.optimizers.Adam(schedule, weight_decay=decay)
    momentum = MOMENTUM if config.optimizer == "momentum" else 0.0
    return keras.optimizers.SGD(
        schedule, momentum=momentum, nesterov=momentum > 0, weight_decay=decay
    )


def _restore(variables: list[keras.Variable], values: list[np.ndarray]) -> None:
    """Give each variable its value again."""
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise CannotResume("This run's network is another than the stored one; start it anew.")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def compile_steps(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, config: TrainConfig
) -> Callable[[tf.Tensor, Choice, np.ndarray, int, int, int, float, int], Sums]:
    """One function that runs many training steps a call.

    Of a picture labelled ``SCRIBBLE`` every digit is to be equally likely, so that the
    network learns to doubt (Hendrycks et al. 2019, arXiv:1812.04606).

    Returns:
        ``run_steps(images, choice, order, first, count, step, strength, seed)``: trains on
        batches ``first`` to ``first + count - 1`` of the epoch that sees the images of the
        choice in this order; ``step`` counts from the start of the run and seeds, with
        ``seed``, the augmentation, which is as strong as ``strength`` says, 0 to 1. It
        returns the sum of the losses over those batches' digits, scribbles not counted,
        and the number of right answers.
    """
    loss_function = keras.losses.CategoricalCrossentropy(
        label_smoothing=config.label_smoothing, reduction="none"
    )

    # Images are handed over at each call, for what a compiled function refers to is never
    # given back.
    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec([None, SIDE, SIDE], tf.uint8),
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([None], tf.uint8),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.float32),
            tf.TensorSpec([], tf.int32),
        ]
    )
    def compiled(
        images: tf.Tensor,
        places: tf.Tensor,
        labels: tf.Tensor,
        first: tf.Tensor,
        count: tf.Tensor,
        step: tf.Tensor,
        strength: tf.Tensor,
        seed: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        loss_sum = tf.constant(0.0)
        correct = tf.constant(0.0)
        for offset in tf.range(count):
            start = (first + offset) * config.batch_size
            batch = slice(start, start + config.batch_size)
            x = tf.cast(tf.gather(images, places[batch]), tf.float32) / 255.0
            if config.augmentation:
                x = augment(x, tf.stack([seed, step + offset]), strength)
            label = tf.cast(labels[batch], tf.int32)
            # Beyond the last digit one_hot gives zeros.
            is_digit = tf.cast(label != SCRIBBLE, tf.float32)
            y = tf.one_hot(label, CLASSES) + (1.0 - is_digit)[:, tf.newaxis] / CLASSES
            with tf.GradientTape() as tape:
                probabilities = model(x, training=True)
                losses = loss_function(y, probabilities)
                mean_loss = tf.reduce_mean(losses)
            gradients = tape.gradient(mean_loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
            loss_sum += tf.reduce_sum(losses * is_digit)
            answer = tf.argmax(probabilities, 1, tf.int32)
            correct += tf.reduce_sum(tf.cast(answer == label, tf.float32))
        return loss_sum, correct

    def run_steps(
        images: tf.Tensor,
        choice: Choice,
        order: np.ndarray,
        first: int,
        count: int,
        step: int,
        strength: float,
        seed: int,
    ) -> Sums:
        seen = choice.fit[order], choice.labels[order]
        sums: Sums = compiled(images, *seen, first, count, step, strength, seed)
        return sums

    return run_steps


def predict(forward: Callable[[tf.Tensor], tf.Tensor], images: np.ndarray) -> np.ndarray:
    """Probabilities, float32 (n, 10), for uint8 (n, 28, 28), in batches of 500."""
    chunks = [
        forward(tf.constant(scale(images[start : start + EVALUATION_BATCH]))).numpy()
        for start in range(0, len(images), EVALUATION_BATCH)
    ]
    return np.concatenate(chunks)


def divide_logits(model: keras.Model, temperature: float) -> None:
    """Build the temperature into the last layer, so that whoever asks gets calibrated answers."""
    last = model.layers[-1]
    last.set_weights([weights / np.float32(temperature) for weights in last.get_weights()])


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of minus the logarithm of the true digit's probability, in nats."""
    of_truth = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_truth, 1e-7)).mean())


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Share of the images whose likeliest digit is the true one, 0 to 1."""
    return float((probabilities.argmax(axis=1) == labels).mean())
