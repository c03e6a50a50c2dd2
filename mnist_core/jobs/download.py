"""The download of MNIST, through Keras, into Keras's cache.

Loads TensorFlow when called: for the worker and the command line, not for the server.
"""

import contextlib
import dataclasses
import os
import socket
import urllib.error
import uuid
from pathlib import Path

from mnist_core.data import Dataset, candidates, keras_cache, load_dataset, read
from mnist_core.errors import BrokenDataFile, DownloadFailed

# A classroom's wifi can accept a connection and then send nothing.
TIMEOUT_SECONDS = 30.0


def load_or_fetch() -> Dataset:
    """The best data available, after a download if there is only the bundled sample."""
    found = load_dataset()
    if found.source != "sample":
        return found
    try:
        fetch()
    except DownloadFailed as error:
        return dataclasses.replace(found, note=f"{found.note} {error}".strip())
    fetched = load_dataset()
    return dataclasses.replace(fetched, note=found.note or fetched.note)


def fetch() -> Path:
    """Download MNIST into Keras's cache and check it.

    The file gets its final name at the end, so nobody reads half of it. A file there that is not
    MNIST is kept as ``mnist.npz.broken``.

    Returns:
        The file in the cache.

    Raises:
        DownloadFailed: no network, a stalled or refused download, a wrong checksum, or a disk
            that is full or read-only.
    """
    import keras

    target = keras_cache()
    partial = target.with_name(f"mnist-{uuid.uuid4().hex}.npz")
    previous_timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        # Keras would silently use a folder under /tmp if it could not write to its own.
        target.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(target.parent.parent, os.W_OK):
            raise PermissionError(f"{target.parent.parent} is read-only")
        keras.datasets.mnist.load_data(path=partial.name)
        read(partial)
        _keep_aside(target)
        partial.replace(target)
    except Exception as error:
        # Keras raises a bare Exception for a failed request.
        reason = str(error).split(" -- ")[-1].split("\n")[0][:120] or type(error).__name__
        raise DownloadFailed(
            f"MNIST could not be downloaded ({reason}). Check the network and try again, "
            "or set MNIST_DATA to an mnist.npz you have.",
            offline=_is_offline(error),
        ) from error
    finally:
        socket.setdefaulttimeout(previous_timeout)
        with contextlib.suppress(OSError):  # No folder, so nothing is left over in it.
            partial.unlink(missing_ok=True)
    return target


def _keep_aside(path: Path) -> None:
    """Rename a file that is about to be replaced, unless it is MNIST too.

    Raises:
        FileExistsError: it is not MNIST, and MNIST_DATA names it.
    """
    try:
        read(path)
    except FileNotFoundError:
        return
    except BrokenDataFile as error:
        if (path, "file") in candidates():
            raise FileExistsError("MNIST_DATA names the file that would be replaced") from error
        path.replace(path.with_name(path.name + ".broken"))


def _is_offline(error: BaseException | None) -> bool:
    """Whether a download failed for lack of a connection, by the causes of Keras's exception."""
    while error:
        if isinstance(error, (urllib.error.HTTPError, urllib.error.ContentTooShortError)):
            return False
        if isinstance(error, (urllib.error.URLError, ConnectionError, TimeoutError)):
            return True
        error = error.__cause__ or error.__context__
    return False
