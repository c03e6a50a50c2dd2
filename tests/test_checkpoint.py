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
    optimizer=[np.array(7, np.int64), *[np.full((1, 2), np.float32(1 / n)) for n in range(1, 13)]],
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


def archive(**members: bytes) -> bytes:
    """A checkpoint's archive with some of its members replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(CHECKPOINT.to_bytes())) as whole:
        kept = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(buffer, "w") as changed:
        for name, content in (kept | {f"{name}.npy": members[name] for name in members}).items():
            changed.writestr(name, content)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_a_member_that_is_no_array_is_refused():
    # Of more numbers than any machine has room for.
    huge = npy(np.zeros((3, 4))).replace(b"(3, 4), }" + b" " * 10, b"(99999999999, 9), }")
    for members in (
        {"model_1": b"text"},
        {"optimizer_0": npy(np.array([{}]))},
        {"numbers": npy(np.array("{}"))},
        {"numbers": npy(np.array("[1]"))},
        {"model_0": huge},
    ):
        with pytest.raises(CannotResume):
            Checkpoint.from_bytes(archive(**members))


def test_damaged_bytes_are_refused_with_a_sentence():
    other = io.BytesIO()
    np.savez(other, x=np.zeros(2))
    with zipfile.ZipFile(pickled := io.BytesIO(), "w") as archive:
        archive.writestr("numbers.npy", b"cos system")
    for data in (b"", b"nonsense", other.getvalue(), pickled.getvalue()):
        with pytest.raises(CannotResume, match=r"cannot continue; start a new run\.$"):
            Checkpoint.from_bytes(data)
    for data in corruptions(CHECKPOINT.to_bytes(), 200):
        try:
            Checkpoint.from_bytes(data)
        except CannotResume:
            continue
