import io
import zipfile

import numpy as np
import pytest

from mnist_core.checkpoint import Checkpoint
from mnist_core.errors import CannotResume
from tests.helpers import corruptions

CHECKPOINT = Checkpoint(
    step=7,
    seconds=1 / 3,
    epoch_loss=0.1,
    epoch_correct=5.0,
    history={"epoch": [1.0], "loss": [0.1 + 0.2]},
    images=123,
    model=[np.random.default_rng(0).random((3, 4)).astype(np.float32), np.zeros(2, np.uint32)],
    optimizer=[np.array(7, np.int64), np.full((1, 2), np.float32(1 / 3)), *[np.ones(1)] * 12],
)


def test_what_is_written_is_read_back_to_the_bit():
    again = Checkpoint.from_bytes(CHECKPOINT.to_bytes())
    for name in ("step", "seconds", "epoch_loss", "epoch_correct", "history", "images"):
        assert getattr(again, name) == getattr(CHECKPOINT, name)
    for name in ("model", "optimizer"):
        ours, theirs = getattr(CHECKPOINT, name), getattr(again, name)
        assert [(a.dtype, a.shape, a.tobytes()) for a in ours] == [
            (a.dtype, a.shape, a.tobytes()) for a in theirs
        ]


def test_nothing_is_pickled():
    with np.load(io.BytesIO(CHECKPOINT.to_bytes()), allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)


def test_damaged_bytes_are_refused_with_a_sentence():
    other = io.BytesIO()
    np.savez(other, x=np.zeros(2))
    with zipfile.ZipFile(pickled := io.BytesIO(), "w") as archive:
        archive.writestr("numbers.npy", b"cos system")
    for data in (b"", b"nonsense", other.getvalue(), pickled.getvalue()):
        with pytest.raises(CannotResume, match=r"cannot go on; start it anew\.$"):
            Checkpoint.from_bytes(data)
    for data in corruptions(CHECKPOINT.to_bytes(), 200):
        try:
            Checkpoint.from_bytes(data)
        except CannotResume:
            continue
