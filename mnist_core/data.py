"""The Dataset, and where MNIST comes from.

In this order: the file named by ``MNIST_DATA``, Keras's cache, the download (only where
asked for: it needs TensorFlow and a network), and the 5,000 digits bundled with the
project. No file is changed here but the one in Keras's cache, and that only by a download.
"""

import contextlib
import functools
import hashlib
import mmap
import os
import socket
import tempfile
import tokenize
import urllib.error
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_core.architecture import CLASSES as CLASSES
from mnist_core.architecture import SIDE as SIDE
from mnist_core.config import VALIDATION_SHARE as VALIDATION_SHARE
from mnist_core.errors import BrokenDataFile, DownloadFailed

SAMPLE_PATH = Path(__file__).parent / "assets" / "sample" / "mnist_sample.npz"

# A classroom's wifi can accept a connection and then say nothing: give up after this.
DOWNLOAD_TIMEOUT_SECONDS = 30.0
# Arrays larger than this are kept on the disk: pages show a few hundred images at a time,
# and MNIST's training images would be a fifth of the server's memory.
MOST_BYTES_IN_MEMORY = 10_000_000
# So many images are looked at together by whoever looks at all: 3 MB as float64.
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
        """What this data is, for a person: its name and how many digits it holds."""
        name = "Bundled sample of MNIST" if self.source == "sample" else "MNIST"
        return f"{name}: {len(self.x_train):,} training and {len(self.x_test):,} test images"

    @functools.cached_property
    def test_fingerprint(self) -> str:
        """16 hexadecimal digits that differ wherever test images or labels differ.

        Stored predictions belong to pictures only where this agrees.
        """
        digest = hashlib.sha256(np.ascontiguousarray(self.x_test).tobytes())
        digest.update(np.ascontiguousarray(self.y_test).tobytes())
        return digest.hexdigest()[:16]

    @functools.cached_property
    def train_fingerprint(self) -> str:
        """16 hexadecimal digits that differ wherever training labels differ, or their number.

        Of the images only every hundredth is looked at, for all of them would have to be
        read from the disk: enough to tell one collection of digits from another, not to
        find a pixel that was changed.
        """
        digest = hashlib.sha256()
        # A chunk is a multiple of a hundred, so these are every hundredth of all.
        for _, chunk in in_chunks(self.x_train):
            digest.update(chunk[::100].tobytes())
        digest.update(np.ascontiguousarray(self.y_train).tobytes())
        return digest.hexdigest()[:16]


def keras_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where Keras keeps ``mnist.npz``: under KERAS_HOME, or ~/.keras."""
    home = environ.get("KERAS_HOME") or "~/.keras"
    return Path(os.path.expanduser(home)) / "datasets" / "mnist.npz"


def candidates(environ: Mapping[str, str] = os.environ) -> list[tuple[Path, str]]:
    """The files that may hold MNIST, best first, each with its ``Dataset.source``."""
    files = [(keras_cache(environ), "keras")]
    if named := environ.get("MNIST_DATA"):
        files.insert(0, (Path(os.path.expanduser(named)), "file"))
    return files


# Files that were read and are not MNIST, as they were then: path, time of change and size.
_not_mnist: set[tuple[str, int, int]] = set()


def locate(environ: Mapping[str, str] = os.environ) -> tuple[Path, str]:
    """The first file that exists, with its source; the bundled sample if none does.

    A file that ``load_dataset`` found to be something else than MNIST is passed over until it
    changes.
    """
    for path, source in candidates(environ):
        if os.path.isfile(path) and _stamp(path) not in _not_mnist:
            return path, source
    return SAMPLE_PATH, "sample"


def _stamp(path: Path) -> tuple[str, int, int]:
    """Changes whenever the file is replaced or written to."""
    try:
        status = path.stat()
    except OSError:  # Gone since it was looked for.
        return str(path), 0, 0
    return str(path), status.st_mtime_ns, status.st_size


# What zipfile and NumPy raise on a file that was cut short, changed, or is something else.
_SIGNS_OF_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    AttributeError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read a file in Keras's layout: x_train, y_train, x_test, y_test.

    Returns:
        Images uint8 (n, 28, 28) and labels uint8 (n,), training first.

    Raises:
        BrokenDataFile: the file is truncated, is no such archive, or its arrays do not
            have MNIST's shapes, types and labels.
        OSError: the file cannot be opened or read.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = [archive[name] for name in ("x_train", "y_train", "x_test", "y_test")]
        if not all(isinstance(array, np.ndarray) for array in arrays):
            raise ValueError("a member is no array")
    except _SIGNS_OF_DAMAGE as error:
        raise BrokenDataFile(f"{path} is truncated or is not an MNIST archive.") from error
    for images, labels in (arrays[:2], arrays[2:]):
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
            raise BrokenDataFile(
                f"{path} holds images of shape {images.shape} and type {images.dtype}; "
                f"MNIST's are uint8 of shape (n, {SIDE}, {SIDE})."
            )
        if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
            raise BrokenDataFile(f"{path} does not hold one whole number as label per image.")
        if sorted(set(labels.tolist())) != list(range(CLASSES)):
            raise BrokenDataFile(
                f"{path} holds labels other than the digits 0 to 9, or lacks some."
            )
    x_train, y_train, x_test, y_test = arrays
    return _on_disk(x_train), y_train.astype(np.uint8), x_test, y_test.astype(np.uint8)


def _on_disk(array: np.ndarray) -> np.ndarray:
    """The array, read-only from a temporary file if it is large and there is room for one."""
    if array.nbytes <= MOST_BYTES_IN_MEMORY:
        return array
    try:
        with tempfile.TemporaryFile() as file:
            # Image by image: what is written in one piece is mapped in pieces of
            # megabytes, and then looking at 60 images brings in nearly all of them.
            file.writelines(array)
            file.flush()
            return np.memmap(file, array.dtype, mode="r", shape=array.shape)
    except OSError:
        return array


def load_dataset(environ: Mapping[str, str] = os.environ, download: bool = False) -> Dataset:
    """The best data at hand; it always succeeds, with the bundled sample if need be.

    A file that is not MNIST is named in the note and left as it is; the next source is used.

    Args:
        environ: environment variables; MNIST_DATA and KERAS_HOME are read.
        download: fetch MNIST first if no file is at hand. Loads TensorFlow, and may take
            minutes: never ask for it in the server.
    """
    notes = [missing_note(environ)]
    for attempt in range(2):
        for path, source in candidates(environ):
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
        if not download or attempt:
            break
        try:
            fetch(environ)
        except DownloadFailed as error:
            notes.append(str(error))
            break
    return load_sample(_joined(notes))


def load_sample(note: str = "") -> Dataset:
    """The 5,000 digits that came with the project: 4,000 to train on and 1,000 to test with."""
    return Dataset(*read(SAMPLE_PATH), "sample", note)


# What to do about a file that is not MNIST, by its source.
_REMEDIES = {
    "file": "It is left as it is; correct MNIST_DATA or unset it.",
    "keras": "A download replaces it.",
}


def _joined(notes: list[str]) -> str:
    """The notes as one text; what was found at both attempts is said once."""
    return " ".join(filter(None, dict.fromkeys(notes)))


def missing_note(environ: Mapping[str, str] = os.environ) -> str:
    """One sentence if MNIST_DATA names no file; empty if it does, or is not set."""
    for path, source in candidates(environ):
        if source == "file" and not os.path.isfile(path):
            reason = "is a folder" if os.path.isdir(path) else "does not exist"
            return f"MNIST_DATA names {path}, which {reason}; correct it or unset it."
    return ""


def fetch(environ: Mapping[str, str] = os.environ) -> Path:
    """Download MNIST through Keras into Keras's cache, and check it.

    Downloads to a name of its own and renames at the end, so nobody ever reads half a
    file. Whatever else than MNIST is there keeps its content: it becomes ``mnist.npz.broken``.
    Loads TensorFlow: call it in the worker or on the command line, not in the server.

    Returns:
        The file now in the cache.

    Raises:
        DownloadFailed: no network, a stalled or refused download, a wrong check sum, or
            no room on the disk.
    """
    import keras

    target = keras_cache(environ)
    partial = f"mnist-{uuid.uuid4().hex}.npz"
    previous_timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_SECONDS)
    try:
        # Keras would quietly use a folder under /tmp if its own cannot be written to.
        target.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(target.parent.parent, os.W_OK):
            raise PermissionError(f"{target.parent.parent} may not be written to")
        keras.datasets.mnist.load_data(path=partial)
        written = target.with_name(partial)
        read(written)
        _keep_aside(target, environ)
        written.replace(target)
    except Exception as error:
        # Keras raises bare Exception for a failed request, so nothing narrower will do.
        reason = str(error).split(" -- ")[-1].split("\n")[0][:120] or type(error).__name__
        raise DownloadFailed(
            f"MNIST could not be downloaded ({reason}). Check the network and try again, "
            "or set MNIST_DATA to an mnist.npz you have.",
            offline=_nothing_answered(error),
        ) from error
    finally:
        socket.setdefaulttimeout(previous_timeout)
        with contextlib.suppress(OSError):  # No folder, so nothing is left over in it.
            target.with_name(partial).unlink(missing_ok=True)
    return target


def _keep_aside(path: Path, environ: Mapping[str, str]) -> None:
    """Rename a file that is about to be replaced, unless it is MNIST too.

    Raises:
        FileExistsError: it is not MNIST, and MNIST_DATA names it.
    """
    try:
        read(path)
    except FileNotFoundError:
        return
    except BrokenDataFile as error:
        if (path, "file") in candidates(environ):
            raise FileExistsError("MNIST_DATA names the file that would be replaced") from error
        path.replace(path.with_name(path.name + ".broken"))


def _nothing_answered(error: BaseException | None) -> bool:
    """Whether a download failed for want of a connection, by what Keras's exception came from."""
    while error:
        if isinstance(error, (urllib.error.HTTPError, urllib.error.ContentTooShortError)):
            return False
        if isinstance(error, (urllib.error.URLError, ConnectionError, TimeoutError)):
            return True
        error = error.__cause__ or error.__context__
    return False


def give_back(images: np.ndarray) -> None:
    """Let go of the memory in which images kept on the disk were read; they can be read again."""
    if isinstance(images.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        images.base.madvise(mmap.MADV_DONTNEED)


def in_chunks(images: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """All images, five hundred at a time, each given back before the next are read.

    Yields:
        Where they are among all, and uint8 (at most 500, 28, 28).
    """
    for start in range(0, len(images), CHUNK):
        where = slice(start, start + CHUNK)
        yield where, images[where]
        give_back(images)


def take(images: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Copies of the images at these places, uint8 (n, 28, 28), taken a thousand at a time.

    What is read to find them is given back: least of it is read at once if the places are
    in ascending order.
    """
    copies = np.empty((len(places), *images.shape[1:]), images.dtype)
    for start in range(0, len(places), CHUNK):
        where = slice(start, start + CHUNK)
        copies[where] = images[places[where]]
        give_back(images)
    return copies


def stratified_split(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split indices so that both parts hold every digit in the same proportion.

    Args:
        labels: uint8 (n,).
        share: share of each digit that goes to the second part, between 0 and 1.
        seed: the same seed gives the same split.

    Returns:
        Two int64 arrays of indices into ``labels``, each in ascending order, with nothing
        in common and nothing left out.
    """
    random = np.random.default_rng(seed)
    second = []
    for digit in np.unique(labels):
        indices = np.flatnonzero(labels == digit)
        second.append(random.permutation(indices)[: round(share * len(indices))])
    chosen = np.sort(np.concatenate(second))
    return np.setdiff1d(np.arange(len(labels)), chosen), chosen


def sample_indices(labels: np.ndarray, digits: list[int], count: int, seed: int) -> np.ndarray:
    """Random places of images that show one of ``digits``, none twice.

    Returns:
        int64 of at most ``count`` indices into ``labels``; all there are if fewer.
    """
    wanted = np.zeros(CLASSES, bool)
    wanted[digits] = True
    eligible = np.flatnonzero(wanted[labels])
    count = min(count, len(eligible))
    return np.random.default_rng(seed).choice(eligible, count, replace=False)


def scale(images: np.ndarray) -> np.ndarray:
    """Pixels as networks take them: uint8 0 to 255 becomes float32 0 to 1, same shape."""
    return images.astype(np.float32) / np.float32(255)
