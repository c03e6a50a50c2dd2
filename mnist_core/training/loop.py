"""train: settings and a dataset -> a trained network.

Keras's ``fit`` returns to Python after every step, which takes longer than the step itself for
networks this small. Here one compiled function runs many steps per call; loss, optimizer, schedule
and layers are Keras's own. Callbacks receive plain numbers. Loads TensorFlow.
"""

import dataclasses
import math
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from mnist_core.analysis.calibration import Calibration, calibrate
from mnist_core.analysis.metrics import accuracy
from mnist_core.analysis.predictions import Predictions
from mnist_core.checkpoint import Checkpoint
from mnist_core.classifier import predict_with_views
from mnist_core.config import TrainConfig
from mnist_core.data import Dataset
from mnist_core.drawing.synthetic import SCRIBBLE
from mnist_core.errors import CannotResume, Diverged
from mnist_core.progress import Progress
from mnist_core.training.augmentation import LAST_STRENGTH, strength_in
from mnist_core.training.images import choose_images, shared_images
from mnist_core.training.models import build_model
from mnist_core.training.scoring import cross_entropy, divide_logits, predict
from mnist_core.training.steps import put_back_trainer, restore, take_trainer

# How long a call of the compiled function should take: ten reports a second.
SECONDS_PER_CALL = 0.1
CURVES = ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy")


@dataclass(frozen=True)
class TrainResult:
    """A finished or stopped training.

    Attributes:
        model: the trained network, with the temperature built in.
        calibration: its temperature and thresholds.
        test_accuracy: share of the test images classified correctly, 0 to 1.
        test_probabilities: float32 (n, 10), with test-time augmentation if the settings ask for
            it; validation in the curves is without.
        train_seconds: of the steps alone, without evaluation and export.
        history: "epoch", "loss", "accuracy", "validation_loss" and "validation_accuracy" of each
            finished epoch.
        parameters: number of parameters, trainable or not.
        epochs: number of finished epochs.
        stopped: whether ``should_stop`` ended it early.
        checkpoint: the state to continue from, before calibration.
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
    """Train a network, calibrate it on validation images, and test it once at the end.

    A tenth of the training images, stratified, is set aside for validation. The same settings,
    data and machine give the same network, however often it was stopped and continued.

    Args:
        config: the settings.
        dataset: its test images are used only after the last step.
        on_progress: called about ten times a second, and at the end of each epoch.
        should_stop: called as often; training ends once it returns True.
        on_checkpoint: called at the end of each epoch, just before ``on_progress``.
        checkpoint: where to continue, instead of starting from scratch.

    Raises:
        Diverged: the loss became infinite or not a number.
        CannotResume: the checkpoint belongs to other settings or images.
    """
    training = _Training(config, dataset, on_progress, should_stop, on_checkpoint)
    if checkpoint:
        training.resume_from(checkpoint)
    while training.step < training.steps and not training.stopped:
        training.run_epoch()
    return training.result()


class _Training:
    """The state of a training: network, images, and ``step`` of ``steps``."""

    def __init__(
        self,
        config: TrainConfig,
        dataset: Dataset,
        on_progress: Callable[[Progress], None] | None,
        should_stop: Callable[[], bool] | None,
        on_checkpoint: Callable[[Checkpoint], None] | None,
    ) -> None:
        self.config, self.dataset = config, dataset
        self.images = shared_images(dataset)
        self.choice = choose_images(config, dataset)
        self.checksum = zlib.crc32(self.choice.labels.tobytes())
        self.x_validation = tf.gather(self.images, self.choice.validation).numpy()
        self.y_validation = dataset.y_train[self.choice.validation]

        self.steps_per_epoch = math.ceil(len(self.choice.labels) / config.batch_size)
        self.steps = self.steps_per_epoch * config.all_epochs
        self.trainer = take_trainer(config, self.steps_per_epoch)
        self.model = build_model(config)
        self.report = on_progress or (lambda progress: None)
        self.should_stop = should_stop or (lambda: False)
        self.on_checkpoint = on_checkpoint
        self.stopped = self.should_stop()
        # None until the first call, which also compiles.
        self.steps_per_call: int | None = None

        # A reused trainer has the last run's variables.
        optimizer = self.trainer.optimizer
        restore(self.trainer.model.variables, [one.value for one in self.model.variables])
        restore(optimizer.variables, [tf.zeros_like(one) for one in optimizer.variables])
        self.step, self.seconds, self.epoch_loss, self.epoch_correct = 0, 0.0, 0.0, 0.0
        self.history: dict[str, list[float]] = {name: [] for name in CURVES}

    def resume_from(self, start: Checkpoint) -> None:
        """Continue from a checkpoint. Raises CannotResume."""
        if start.images != self.checksum:
            raise CannotResume(
                "The images this run was trained with are no longer available, so it cannot "
                "continue; start a new run."
            )
        restore(self.trainer.model.variables, start.model)
        restore(self.trainer.optimizer.variables, start.optimizer)
        self.step, self.seconds = start.step, start.seconds
        self.epoch_loss, self.epoch_correct = start.epoch_loss, start.epoch_correct
        self.history = {name: list(start.history[name]) for name in CURVES}

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(
            step=self.step,
            seconds=self.seconds,
            epoch_loss=self.epoch_loss,
            epoch_correct=self.epoch_correct,
            history={name: list(values) for name, values in self.history.items()},
            images=self.checksum,
            model=[one.value.numpy() for one in self.trainer.model.variables],
            optimizer=[one.value.numpy() for one in self.trainer.optimizer.variables],
        )

    def run_epoch(self) -> None:
        """Take the remaining steps of this epoch, then validate, unless stopped."""
        config = self.config
        epoch, done = divmod(self.step, self.steps_per_epoch)
        order = np.random.default_rng((config.seed, epoch)).permutation(len(self.choice.labels))
        is_digit = self.choice.labels[order] != SCRIBBLE
        # Epochs added later keep the strength of the last epoch.
        strength = strength_in(epoch, config.epochs) if epoch < config.epochs else LAST_STRENGTH
        while done < self.steps_per_epoch and not self.stopped:
            count = self._steps_in_next_call(self.steps_per_epoch - done)
            loss_sum, correct = self._take_steps(order, done, count, strength)
            batches = slice(done * config.batch_size, (done + count) * config.batch_size)
            digits = max(int(is_digit[batches].sum()), 1)
            done += count
            progress = Progress(
                step=self.step,
                epoch=epoch + done / self.steps_per_epoch,
                loss=loss_sum / digits,
                accuracy=correct / digits,
                learning_rate=float(self.trainer.schedule(self.step)),
                seconds=self.seconds,
            )
            if done < self.steps_per_epoch:
                self.report(progress)
            self.stopped = self.should_stop()
        if done == self.steps_per_epoch:
            self._end_epoch(progress, max(int(is_digit.sum()), 1))

    def _steps_in_next_call(self, left: int) -> int:
        # A few left-over steps are joined to the last call: their mean would be a spike in the
        # curve.
        usual = self.steps_per_call or 1
        return usual if left > 1.5 * usual else left

    def _take_steps(
        self, order: np.ndarray, first: int, count: int, strength: float
    ) -> tuple[float, float]:
        """Take ``count`` steps in one call: the sum of their losses, and the correct answers."""
        started = time.perf_counter()
        sums = self.trainer.run_steps(
            self.images,
            self.choice.fit[order],
            self.choice.labels[order],
            first,
            count,
            self.step,
            strength,
            self.config.seed,
        )
        loss_sum, correct = (float(value) for value in sums)
        elapsed = time.perf_counter() - started
        # The first call's time includes compiling.
        if self.steps_per_call is None:
            self.steps_per_call = 1
        else:
            fitting = SECONDS_PER_CALL / max(elapsed / count, 1e-6)
            self.steps_per_call = max(1, min(int(fitting), 2 * self.steps_per_call))
        _check_finite(loss_sum, self.step + count, self.config)
        self.seconds += elapsed
        self.step += count
        self.epoch_loss += loss_sum
        self.epoch_correct += correct
        return loss_sum, correct

    def _end_epoch(self, progress: Progress, digits: int) -> None:
        """Validate, and report the epoch, with ``digits`` images that are no scribbles."""
        probabilities = predict(self.trainer.forward, self.x_validation)
        predictions = Predictions(self.y_validation, probabilities)
        validation_loss = cross_entropy(predictions)
        # The loss of the last step is the one before its update.
        _check_finite(validation_loss, self.step, self.config)
        validation_accuracy = accuracy(predictions.matrix)
        for name, value in (
            ("epoch", len(self.history["epoch"]) + 1),
            ("loss", self.epoch_loss / digits),
            ("accuracy", self.epoch_correct / digits),
            ("validation_loss", validation_loss),
            ("validation_accuracy", validation_accuracy),
        ):
            self.history[name].append(float(value))
        self.epoch_loss = self.epoch_correct = 0.0
        if self.on_checkpoint:
            self.on_checkpoint(self.checkpoint())
        self.report(
            dataclasses.replace(
                progress, validation_loss=validation_loss, validation_accuracy=validation_accuracy
            )
        )

    def result(self) -> TrainResult:
        """Calibrate the network on the validation images, and test it."""
        network = self.trainer.model
        end = self.checkpoint()
        calibration = calibrate(self._predictions(self.x_validation, self.y_validation))
        divide_logits(network, calibration.temperature)
        test_predictions = self._predictions(self.dataset.x_test, self.dataset.y_test)
        restore(self.model.variables, [one.value for one in network.variables])
        put_back_trainer(self.trainer)
        return TrainResult(
            model=self.model,
            calibration=calibration,
            test_accuracy=accuracy(test_predictions.matrix),
            test_probabilities=test_predictions.probabilities,
            train_seconds=self.seconds,
            history=self.history,
            parameters=self.model.count_params(),
            epochs=len(self.history["epoch"]),
            stopped=self.step < self.steps,
            checkpoint=end,
        )

    def _predictions(self, images: np.ndarray, labels: np.ndarray) -> Predictions:
        forward = partial(predict, self.trainer.forward)
        return Predictions(labels, predict_with_views(forward, images, self.config.looks))


def _check_finite(loss: float, step: int, config: TrainConfig) -> None:
    if not math.isfinite(loss):
        raise Diverged(
            f"The loss stopped being a number at step {step}. "
            f"Try a learning rate below {config.learning_rate:g}."
        )
