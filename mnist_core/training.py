"""train: settings and a dataset -> a trained network, telling of its progress in numbers.

Keras's ``fit`` goes back to Python after every step, which costs more than the step
itself for networks this small. Here one compiled function runs many steps a call over
images held in memory; loss, optimizer, schedule and layers are Keras's own. Nobody
listening is known here: one callback is told plain numbers, and one is asked whether to
stop. Loads TensorFlow.
"""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from mnist_core.augmentation import augment, strength_in
from mnist_core.calibration import Calibration, calibrate
from mnist_core.config import TrainConfig
from mnist_core.data import CLASSES, Dataset, scale, stratified_split
from mnist_core.looks import predict_in_looks
from mnist_core.models import build_model
from mnist_core.progress import Progress
from mnist_core.strokes import SCRIBBLE, load_drawn

VALIDATION_SHARE = 0.1
# A call of the compiled function should take about this long: the callback is then told
# more than ten times a second, and calling costs little beside the steps.
SECONDS_PER_CALL = 0.06
EVALUATION_BATCH = 500


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


class Diverged(ArithmeticError):
    """The loss is no longer a number; the message says what to try."""


def train(
    config: TrainConfig,
    dataset: Dataset,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainResult:
    """Train a network, and test it once at the end.

    A tenth of the training images, stratified, is set aside for validation and never
    trained on; its probabilities are calibrated with them at the end. Same settings, data
    and machine give the same network, however often progress is reported.

    Args:
        config: the settings.
        dataset: its test images are looked at only after the last step.
        on_progress: called more than ten times a second, and at the end of each epoch.
        should_stop: asked as often; once it says True the network is kept as it is.

    Raises:
        Diverged: the loss became infinite or not a number.
    """
    report = on_progress or (lambda progress: None)
    stop = should_stop or (lambda: False)
    fit_indices, validation_indices = stratified_split(
        dataset.y_train, VALIDATION_SHARE, config.seed
    )
    x_validation = dataset.x_train[validation_indices]
    y_validation = dataset.y_train[validation_indices]

    x_fit, y_fit = dataset.x_train[fit_indices], dataset.y_train[fit_indices]
    if config.drawn_digits:
        x_drawn, y_drawn = load_drawn(config.drawn_digits)
        x_fit, y_fit = np.concatenate([x_fit, x_drawn]), np.concatenate([y_fit, y_drawn])

    model = build_model(config)
    steps_per_epoch = math.ceil(len(y_fit) / config.batch_size)
    steps = steps_per_epoch * config.epochs
    schedule = learning_rate_schedule(config.learning_rate, steps)
    optimizer = keras.optimizers.Adam(schedule, weight_decay=config.weight_decay or None)
    optimizer.build(model.trainable_variables)
    run_steps = compile_steps(model, optimizer, x_fit, y_fit, config)

    history: dict[str, list[float]] = {
        name: [] for name in ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy")
    }
    seconds, stopped, steps_per_call, step = 0.0, stop(), 1, 0
    for epoch in range(config.epochs):
        if stopped:
            break
        order = np.random.default_rng((config.seed, epoch)).permutation(len(y_fit))
        is_digit = y_fit[order] != SCRIBBLE
        strength = strength_in(epoch, config.epochs)
        epoch_loss = epoch_correct = 0.0
        done = 0
        while done < steps_per_epoch and not stopped:
            count = steps_per_epoch - done
            # The rest of an epoch goes into one call unless it is clearly more than one:
            # the mean over a few left-over steps would be a spike in the curve.
            if count > 1.5 * steps_per_call:
                count = steps_per_call
            started = time.perf_counter()
            loss_sum, correct = (float(x) for x in run_steps(order, done, count, step, strength))
            elapsed = time.perf_counter() - started
            seconds += elapsed
            # The first call also compiles, so its time says nothing about the next.
            if step:
                wished = SECONDS_PER_CALL / max(elapsed / count, 1e-6)
                steps_per_call = max(1, min(int(wished), 2 * steps_per_call))
            if not math.isfinite(loss_sum):
                raise Diverged(
                    f"The loss stopped being a number at step {step + count}. "
                    f"Try a learning rate below {config.learning_rate:g}."
                )
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
                learning_rate=float(schedule(step)),
                seconds=seconds,
            )
            if done < steps_per_epoch:
                report(progress)
            stopped = stop()
        if done < steps_per_epoch:
            break
        probabilities = predict(model, x_validation)
        progress = dataclasses.replace(
            progress,
            validation_loss=cross_entropy(probabilities, y_validation),
            validation_accuracy=accuracy(probabilities, y_validation),
        )
        report(progress)
        for name, value in (
            ("epoch", epoch + 1),
            ("loss", epoch_loss / is_digit.sum()),
            ("accuracy", epoch_correct / is_digit.sum()),
            ("validation_loss", progress.validation_loss),
            ("validation_accuracy", progress.validation_accuracy),
        ):
            history[name].append(float(value or 0.0))

    def answers(images: np.ndarray) -> np.ndarray:
        return predict_in_looks(lambda part: predict(model, part), images, config.looks)

    calibration = calibrate(answers(x_validation), y_validation)
    divide_logits(model, calibration.temperature)
    test_probabilities = answers(dataset.x_test)
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
    )


def learning_rate_schedule(peak: float, steps: int) -> keras.optimizers.schedules.CosineDecay:
    """Up to ``peak`` over the first tenth of the steps, then a cosine down to nothing.

    Warm-up: Goyal et al. 2017, arXiv:1706.02677. Cosine: Loshchilov and Hutter 2016,
    arXiv:1608.03983.
    """
    warmup = max(1, steps // 10)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / 20,
        decay_steps=max(1, steps - warmup),
        warmup_target=peak,
        warmup_steps=warmup,
    )


def compile_steps(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    images: np.ndarray,
    labels: np.ndarray,
    config: TrainConfig,
) -> Callable[[np.ndarray, int, int, int, float], tuple[tf.Tensor, tf.Tensor]]:
    """One function that runs many training steps a call.

    Args:
        images, labels: uint8 (n, 28, 28) and uint8 (n,), held in memory as they are. Of
            a picture labelled ``SCRIBBLE`` every digit is to be equally likely, so that
            the network learns to doubt (Hendrycks et al. 2019, arXiv:1812.04606).

    Returns:
        ``run_steps(order, first, count, step, strength)``: trains on batches ``first`` to
        ``first + count - 1`` of the epoch whose images are ``images[order]``; ``step``
        counts from the start of the run and seeds the augmentation, which is as strong as
        ``strength`` says, 0 to 1. It returns the sum of the losses over those batches'
        digits, scribbles not counted, and the number of right answers.
    """
    images, labels = tf.constant(images), tf.constant(labels)
    loss_function = keras.losses.CategoricalCrossentropy(
        label_smoothing=config.label_smoothing, reduction="none"
    )

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.float32),
        ]
    )
    def run_steps(
        order: tf.Tensor,
        first: tf.Tensor,
        count: tf.Tensor,
        step: tf.Tensor,
        strength: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        loss_sum = tf.constant(0.0)
        correct = tf.constant(0.0)
        for offset in tf.range(count):
            start = (first + offset) * config.batch_size
            batch = order[start : start + config.batch_size]
            x = tf.cast(tf.gather(images, batch), tf.float32) / 255.0
            if config.augmentation:
                x = augment(x, tf.stack([config.seed, step + offset]), strength)
            label = tf.cast(tf.gather(labels, batch), tf.int32)
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

    return run_steps  # type: ignore[no-any-return]


def predict(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Probabilities, float32 (n, 10), for uint8 (n, 28, 28), in batches of 500."""
    forward = tf.function(lambda x: model(x, training=False), reduce_retracing=True)
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


def export_litert(model: keras.Model, path: str) -> None:
    """Write the network as a LiteRT file whose outputs are every layer, in order."""
    layers = keras.Model(model.inputs, [layer.output for layer in model.layers])
    layers.export(path, format="litert", verbose=False)
