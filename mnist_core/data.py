"""The Dataset, and where MNIST comes from.

In this order: the file named by ``MNIST_DATA``, Keras's cache, and the 5,000 digits bundled with
the project. jobs/download.py fills Keras's cache.
"""

import functools
import hashlib
import io
import mmap
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_core.architecture import CLASSES as CLASSES
from mnist_core.architecture import SIDE as SIDE
from mnist_core.config import VALIDATION_SHARE as VALIDATION_SHARE
from mnist_core.errors import BrokenDataFile

SAMPLE_PATH = Path(__file__).parent / "assets" / "sample" / "mnist_sample.npz"

# Larger arrays stay on disk: pages show a few hundred images at a time, and MNIST's training
# images would be a fifth of the server's memory.
MOST_BYTES_IN_MEMORY = 10_000_000
# Images read at a time when all are needed: 3 MB as float64.
CHUNK = 500


@dataclass(frozen=True)
class Dataset:
    """Handwritten digits to train on and to test with.

    Attributes:
        x_train, x_test: uint8 (n, 28, 28), 0 is paper and 255 is full ink.
        y_train, y_test: uint8 (n,), the digit 0 to 9.
        source: ``"file"`` (named by MNIST_DATA), ``"keras"`` (Keras's cache) or
            ``"sample"`` (bundled).
        note: one sentence if something about the data went wrong, else empty.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    source: str
    note: str = ""

    @property
    def description(self) -> str:
        """Its name and how many images it has, as shown to people."""
        name = "Bundled sample of MNIST" if self.source == "sample" else "MNIST"
        return f"{name}: {len(self.x_train):,} training and {len(self.x_test):,} test images"

    @functools.cached_property
    def test_fingerprint(self) -> str:
        """16 hexadecimal digits that identify the test images and labels.

        Stored predictions are of these images only if their run has the same fingerprint.
        """
        digest = hashlib.sha256(np.ascontiguousarray(self.x_test).tobytes())
        digest.update(np.ascontiguousarray(self.y_test).tobytes())
        return digest.hexdigest()[:16]

    @functools.cached_property
    def train_fingerprint(self) -> str:
        """16 hexadecimal digits that identify the training labels and every hundredth image.

        Hashing all images would read all of them from disk. This tells one collection of digits
        from another; it does not detect a changed pixel.
        """
        digest = hashlib.sha256()
        for _, chunk in in_chunks(self.x_train):
            digest.update(chunk[::100].tobytes())
        digest.update(np.ascontiguousarray(self.y_train).tobytes())
        return digest.hexdigest()[:16]


def keras_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where Keras keeps ``mnist.npz``: under KERAS_HOME, or ~/.keras."""
    home = environ.get("KERAS_HOME") or "~/.keras"
    return Path(home).expanduser() / "datasets" / "mnist.npz"


def candidates() -> list[tuple[Path, str]]:
    """The files that may hold MNIST, best first, each with its ``Dataset.source``."""
    files = [(keras_cache(), "keras")]
    if named := os.environ.get("MNIST_DATA"):
        files.insert(0, (Path(named).expanduser(), "file"))
    return files


# Files that turned out not to be MNIST: path, time of last change and size at that moment.
_not_mnist: set[tuple[str, int, int]] = set()


def locate() -> tuple[Path, str]:
    """The first file that exists, with its source; the bundled sample if none does.

    A file that ``load_dataset`` found not to be MNIST is skipped until it changes.
    """
    for path, source in candidates():
        if os.path.isfile(path) and _stamp(path) not in _not_mnist:
            return path, source
    return SAMPLE_PATH, "sample"


def _stamp(path: Path) -> tuple[str, int, int]:
    """Changes whenever the file is replaced or written to."""
    try:
        status = path.stat()
    except OSError:  # Deleted a moment ago.
        return str(path), 0, 0
    return str(path), status.st_mtime_ns, status.st_size


def read_npz(source: Path | bytes, *names: str) -> dict[str, np.ndarray]:
    """Arrays of a NumPy ``.npz`` archive by name: those named, or all.

    Raises:
        ValueError: the archive is damaged, is something else, or lacks one of the arrays.
        OSError: the file cannot be opened or read.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in names or archive.files}
    except Exception as error:
        # For damaged archives NumPy, zipfile and the decompressors raise a dozen kinds of
        # exceptions with no common base. An OSError with a number comes from the disk.
        if isinstance(error, OSError) and error.errno:
            raise
        raise ValueError("Expected a NumPy archive.") from error
    # A member that is not in NumPy's format comes as bytes.
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ValueError("Expected a NumPy archive of arrays only.")
    return arrays


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read a file in Keras's layout: x_train, y_train, x_test, y_test.

    Returns:
        Images uint8 (n, 28, 28) and labels uint8 (n,), training first.

    Raises:
        BrokenDataFile: the file is damaged, or its arrays do not have MNIST's shapes, types and
            labels.
        OSError: the file cannot be opened or read.
    """
    names = ("x_train", "y_train", "x_test", "y_test")
    try:
        x_train, y_train, x_test, y_test = read_npz(path, *names).values()
    except ValueError as error:
        raise BrokenDataFile(f"{path} is truncated or is not an MNIST archive.") from error
    for images, labels in ((x_train, y_train), (x_test, y_test)):
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
            raise BrokenDataFile(
                f"{path} holds images of shape {images.shape} and type {images.dtype}; "
                f"MNIST's are uint8 of shape (n, {SIDE}, {SIDE})."
            )
        if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
            raise BrokenDataFile(f"{path} does not have one whole number as label for each image.")
        if sorted(set(labels.tolist())) != list(range(CLASSES)):
            raise BrokenDataFile(f"{path} has labels other than 0 to 9, or lacks one of them.")
    return _on_disk(x_train), y_train.astype(np.uint8), x_test, y_test.astype(np.uint8)


def _on_disk(array: np.ndarray) -> np.ndarray:
    """A large array, read-only from a temporary file; the array itself if the disk is full."""
    if array.nbytes <= MOST_BYTES_IN_MEMORY:
        return array
    try:
        with tempfile.TemporaryFile() as file:
            # Image by image: a file written in one piece is cached in pieces of megabytes, and
            # looking at 60 images would then load nearly all of them.
            file.writelines(array)
            file.flush()
            return np.memmap(file, array.dtype, mode="r", shape=array.shape)
    except OSError:
        return array


def load_dataset() -> Dataset:
    """The best data available; always succeeds, with the bundled sample if need be.

    A file that is not MNIST is named in the note and left unchanged; the next source is used.
    """
    notes = [missing_note()]
    for path, source in candidates():
        if not os.path.isfile(path):
            continue
        stamp = _stamp(path)
        try:
            return Dataset(*read(path), source, _joined(notes))
        except BrokenDataFile as error:
            _not_mnist.add(stamp)
            notes.append(f"{error} {_REMEDIES[source]}")
        except OSError as error:
            notes.append(f"{path} cannot be read ({error.strerror or error}).")
    return load_sample(_joined(notes))


def load_sample(note: str = "") -> Dataset:
    """The 5,000 digits that come with the project: 4,000 to train on and 1,000 to test with."""
    return Dataset(*read(SAMPLE_PATH), "sample", note)


# What to do about a file that is not MNIST, by its source.
_REMEDIES = {
    "file": "It is left unchanged; correct MNIST_DATA or unset it.",
    "keras": "A download replaces it.",
}


def _joined(notes: list[str]) -> str:
    return " ".join(filter(None, notes))


def missing_note() -> str:
    """One sentence if MNIST_DATA names no file; empty if it does, or is not set."""
    path, source = candidates()[0]
    if source != "file" or os.path.isfile(path):
        return ""
    reason = "is a folder" if os.path.isdir(path) else "does not exist"
    return f"MNIST_DATA names {path}, which {reason}; correct it or unset it."


def give_back(images: np.ndarray) -> None:
    """Release the memory that holds images kept on disk; they can be read again."""
    if isinstance(images.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        images.base.madvise(mmap.MADV_DONTNEED)


def in_chunks(images: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """All images, 500 at a time, released before the next are read.

    Yields:
        Their slice of all images, and uint8 (at most 500, 28, 28).
    """
    for start in range(0, len(images), CHUNK):
        where = slice(start, start + CHUNK)
        yield where, images[where]
        give_back(images)


def take(images: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Copies of the images at these indices, uint8 (n, 28, 28); memory is released on the way."""
    copies = np.empty((len(places), *images.shape[1:]), images.dtype)
    for start in range(0, len(places), CHUNK):
        where = slice(start, start + CHUNK)
        copies[where] = images[places[where]]
        give_back(images)
    return copies


def stratified_split(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split indices so that both parts have the same proportion of each digit.

    Args:
        labels: uint8 (n,).
        share: share of each digit that goes to the second part, between 0 and 1.
        seed: the same seed gives the same split.

    Returns:
        Two int64 arrays of indices into ``labels``, each ascending; every index is in one.
    """
    random = np.random.default_rng(seed)
    second = []
    for digit in np.unique(labels):
        indices = np.flatnonzero(labels == digit)
        second.append(random.permutation(indices)[: round(share * len(indices))])
    chosen = np.sort(np.concatenate(second))
    return np.setdiff1d(np.arange(len(labels)), chosen), chosen


def sample_indices(labels: np.ndarray, digits: list[int], count: int, seed: int) -> np.ndarray:
    """Random indices of images of ``digits``, without repetition: int64, at most ``count``."""
    wanted = np.zeros(CLASSES, bool)
    wanted[digits] = True
    eligible = np.flatnonzero(wanted[labels])
    count = min(count, len(eligible))
    return np.random.default_rng(seed).choice(eligible, count, replace=False)


def scale(images: np.ndarray) -> np.ndarray:
    """Pixels as a network's input: uint8 0 to 255 becomes float32 0 to 1, same shape."""
    return images.astype(np.float32) / np.float32(255)
