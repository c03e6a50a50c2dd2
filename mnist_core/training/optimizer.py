"""The optimizer and its learning rate, epoch by epoch."""

import keras
import tensorflow as tf

from mnist_core.config import TrainConfig

MOMENTUM = 0.9
# Epochs added later have this share of the learning rate: the full one would undo what a trained
# network has learned.
LATER_SHARE = 0.1


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The learning rate at each step of a run, which may have several parts.

    In each part it rises from a twentieth of the peak over the first tenth of the steps, then
    falls to 0 along a cosine or a line; or it is constant. In later parts the peak is
    ``LATER_SHARE`` of the first. Warm-up: Goyal et al. 2017, arXiv:1706.02677. Cosine with
    restarts: Loshchilov and Hutter 2016, arXiv:1608.03983.
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
    """Keras's optimizer with these settings; Adam with weight decay is AdamW."""
    decay = config.weight_decay or None
    if config.optimizer == "adam":
        return keras.optimizers.Adam(schedule, weight_decay=decay)
    momentum = MOMENTUM if config.optimizer == "momentum" else 0.0
    return keras.optimizers.SGD(
        schedule, momentum=momentum, nesterov=momentum > 0, weight_decay=decay
    )
