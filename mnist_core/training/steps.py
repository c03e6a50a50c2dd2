"""The compiled training steps: a network, its optimizer, and many steps in one call."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from mnist_core.config import PRESETS, TrainConfig
from mnist_core.data import CLASSES, SIDE, Dataset
from mnist_core.drawing.synthetic import SCRIBBLE
from mnist_core.errors import CannotResume
from mnist_core.training.augmentation import augment
from mnist_core.training.images import choose_images, shared_images
from mnist_core.training.models import build_model
from mnist_core.training.optimizer import LearningRate, build_optimizer, learning_rate_schedule
from mnist_core.training.scoring import EVALUATION_BATCH, predict

# Of the losses, and of the right answers.
Sums = tuple[tf.Tensor, tf.Tensor]


@dataclass(frozen=True)
class Trainer:
    """A network, its optimizer and the functions compiled for them; used by one run at a time.

    Attributes:
        key: its settings, with seed 0, and the steps per epoch.
        forward: float32 (n, 28, 28), 0 to 1 -> probabilities, float32 (n, 10).
        run_steps: see ``compile_steps``.
    """

    key: tuple[TrainConfig, int]
    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    schedule: "LearningRate"
    forward: Callable[[tf.Tensor], tf.Tensor]
    run_steps: Callable[..., Sums]


# The trainer of the last run, unless in use: compiling takes seconds, and most runs of a class
# have the same settings.
_spare: dict[tuple[TrainConfig, int], Trainer] = {}


def warm_up(dataset: Dataset) -> None:
    """Take one step with ``classic``'s settings, so that such a run starts at once."""
    config = PRESETS["classic"]
    choice = choose_images(config, dataset)
    trainer = take_trainer(config, math.ceil(len(choice.labels) / config.batch_size))
    images = shared_images(dataset)
    trainer.run_steps(images, choice.fit, choice.labels, 0, 1, 0, 1.0, config.seed)
    predict(trainer.forward, dataset.x_test[:EVALUATION_BATCH])
    put_back_trainer(trainer)


def take_trainer(config: TrainConfig, steps_per_epoch: int) -> Trainer:
    """The spare trainer if it has these settings, or a new one."""
    # The seed is an argument of the compiled function; everything else is compiled into it.
    key = dataclasses.replace(config, seed=0), steps_per_epoch
    trainer = _spare.pop(key, None)
    return trainer or _build_trainer(*key)


def put_back_trainer(trainer: Trainer) -> None:
    """Keep this trainer, and no other, for the next run with the same settings."""
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


def restore(variables: list[keras.Variable], values: list[np.ndarray]) -> None:
    """Assign each variable its value. Raises CannotResume if the shapes differ."""
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise CannotResume("The stored network has another layout; start a new run.")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


# Arguments of the compiled function. Numbers are tensors: it would be compiled for each number.
SIGNATURE = [
    tf.TensorSpec([None, SIDE, SIDE], tf.uint8),
    tf.TensorSpec([None], tf.int64),
    tf.TensorSpec([None], tf.uint8),
    tf.TensorSpec([], tf.int32),
    tf.TensorSpec([], tf.int32),
    tf.TensorSpec([], tf.int32),
    tf.TensorSpec([], tf.float32),
    tf.TensorSpec([], tf.int32),
]


def compile_steps(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, config: TrainConfig
) -> Callable[..., Sums]:
    """A function that takes many training steps per call.

    The target of a scribble is the same probability for every digit, so that the network learns
    to be uncertain (Hendrycks et al. 2019, arXiv:1812.04606).

    Returns:
        ``run_steps(images, indices, labels, first, count, step, strength, seed)``: trains on
        batches ``first`` to ``first + count - 1`` of the images at these indices. ``step``, counted
        from the start of the run, and ``seed`` seed the augmentation; ``strength`` is 0 to 1.
        Returns the sum of the losses, without scribbles, and the number of correct answers.
    """
    loss_function = keras.losses.CategoricalCrossentropy(
        label_smoothing=config.label_smoothing, reduction="none"
    )

    # Images are an argument, because a compiled function never frees what it refers to.
    @tf.function(input_signature=SIGNATURE)  # type: ignore[untyped-decorator]
    def run_steps(
        images: tf.Tensor,
        indices: tf.Tensor,
        labels: tf.Tensor,
        first: tf.Tensor,
        count: tf.Tensor,
        step: tf.Tensor,
        strength: tf.Tensor,
        seed: tf.Tensor,
    ) -> Sums:
        loss_sum = tf.constant(0.0)
        correct = tf.constant(0.0)
        for offset in tf.range(count):
            start = (first + offset) * config.batch_size
            batch = slice(start, start + config.batch_size)
            x = tf.cast(tf.gather(images, indices[batch]), tf.float32) / 255.0
            if config.augmentation:
                x = augment(x, tf.stack([seed, step + offset]), strength)
            label = tf.cast(labels[batch], tf.int32)
            y, is_digit = _targets(label)
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

    function: Callable[..., Sums] = run_steps
    return function


def _targets(label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Target probabilities, float32 (n, 10), and 1.0 for digits, 0.0 for scribbles."""
    is_digit = tf.cast(label != SCRIBBLE, tf.float32)
    # Beyond the last digit one_hot gives zeros.
    return tf.one_hot(label, CLASSES) + (1.0 - is_digit)[:, tf.newaxis] / CLASSES, is_digit
