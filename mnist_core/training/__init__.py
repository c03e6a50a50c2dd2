"""Settings and digits -> a trained network. The only package that uses TensorFlow.

Only the worker and __main__.py import it, when they are about to train; the server never does.
Start reading with loop.py.
"""

from mnist_core.training.loop import TrainResult, train
from mnist_core.training.steps import warm_up

__all__ = ["TrainResult", "train", "warm_up"]
