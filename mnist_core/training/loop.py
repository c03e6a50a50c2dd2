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
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from mnist_core.analysis.calibration import Calibration, calibrate
from mnist_core.checkpoint import Checkpoint
from mnist_core.classifier import predict_with_views
from mnist_core.config import TrainConfig
from mnist_core.data import (
    Dataset,
)
from mnist_core.drawing.synthetic import SCRIBBLE
from mnist_core.errors import CannotResume, Diverged
from mnist_core.progress import Progress
from mnist_core.training.augmentation import LAST_STRENGTH, strength_in
from mnist_core.training.images import choose_images, hold
from mnist_core.training.models import build_model
from mnist_core.training.scoring import accuracy, cross_entropy, divide_logits, predict
from mnist_core.training.steps import put_back_trainer, restore, take_trainer

# A call of the compiled function should take about this long: the callback is then told
# ten times a second, and calling costs little beside the steps.
SECONDS_PER_CALL = 0.1
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
    trainer = take_trainer(config, steps_per_epoch)
    network, optimizer = trainer.model, trainer.optimizer
    model = build_model(config)
    restore(network.variables, [variable.value for variable in model.variables])
    restore(optimizer.variables, [tf.zeros_like(variable) for variable in optimizer.variables])

    step, seconds, epoch_loss, epoch_correct = 0, 0.0, 0.0, 0.0
    history: dict[str, list[float]] = {name: [] for name in CURVES}
    if checkpoint:
        if checkpoint.images != checksum:
            raise CannotResume(
                "The digits this run was trained with are no longer those at hand, so it cannot "
                "go on; start it anew."
            )
        restore(network.variables, checkpoint.model)
        restore(optimizer.variables, checkpoint.optimizer)
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
        return predict_with_views(
            lambda part: predict(trainer.forward, part), pictures, config.looks
        )

    end = state()
    calibration = calibrate(answers(x_validation), y_validation)
    divide_logits(network, calibration.temperature)
    test_probabilities = answers(dataset.x_test)
    restore(model.variables, [variable.value for variable in network.variables])
    put_back_trainer(trainer)
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
