import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mnist_core import data
from mnist_core.errors import DownloadFailed
from mnist_core.jobs import download
from tests.helpers import refuse_to_open, write_archive

# The download is Keras's own, from a server on this machine.


class Mirror:
    """A web server on this machine that plays the one MNIST is fetched from."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.behaviour = "serve"
        self.requests: list[str] = []
        self.released = threading.Event()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.requests.append(self.path)
                mirror.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/mnist.npz"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self._thread.start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if self.behaviour == "silent":
            self.released.wait()
            return
        if self.behaviour == "missing":
            handler.send_error(404, "Not Found")
            return
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(self.content)))
        handler.end_headers()
        if self.behaviour == "serve":
            handler.wfile.write(self.content)
            return
        handler.wfile.write(self.content[: len(self.content) // 2])
        handler.wfile.flush()
        if self.behaviour == "stall":
            self.released.wait()

    def close(self) -> None:
        self.released.set()
        if self._thread.is_alive():
            self.server.shutdown()
            self._thread.join()
        self.server.server_close()


@pytest.fixture
def mirror(tmp_path, cache, monkeypatch, tiny_dataset) -> Iterator[Mirror]:
    """The mirror, with Keras told only of another address and another checksum."""
    import keras.src.backend.config
    import keras.src.datasets.mnist

    content = write_archive(tmp_path / "served.npz", tiny_dataset).read_bytes()
    mirror = Mirror(content)
    get_file = keras.src.datasets.mnist.get_file

    def get_file_nearby(**arguments):
        checksum = hashlib.sha256(content).hexdigest()
        return get_file(**arguments | {"origin": mirror.url, "file_hash": checksum})

    monkeypatch.setattr(keras.src.datasets.mnist, "get_file", get_file_nearby)
    # Keras read KERAS_HOME when it was loaded.
    monkeypatch.setattr(keras.src.backend.config, "_KERAS_DIR", os.environ["KERAS_HOME"])
    yield mirror
    mirror.close()


def break_mirror(mirror: Mirror, failure: str, monkeypatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.5)
    if failure == "refused":
        mirror.close()
    elif failure == "wrong checksum":
        # The last bytes of a zip archive are its comment's length: still readable, not the same.
        mirror.content = mirror.content + b"\0"
    elif failure == "other content":
        mirror.content = b"<html>Sign in to the school's network</html>"
    else:
        mirror.behaviour = failure


FAILURES = (
    "missing", "truncate", "wrong checksum", "other content", "stall", "silent", "refused",
)  # fmt: skip


def test_fetch_puts_the_file_where_keras_and_the_app_look_for_it(mirror, cache):
    import keras

    assert download.fetch() == cache
    assert cache.read_bytes() == mirror.content
    assert os.listdir(cache.parent) == ["mnist.npz"]
    dataset = data.load_dataset()
    assert (dataset.source, dataset.note, len(dataset.x_train)) == ("keras", "", 400)
    (x_train, _), _ = keras.datasets.mnist.load_data()
    assert (x_train == dataset.x_train).all()
    assert mirror.requests == ["/mnist.npz"]


def test_fetch_makes_the_cache_folder(mirror, cache):
    cache.parent.rmdir()
    assert download.fetch().is_file()


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_download_is_one_sentence_and_leaves_nothing_behind(
    failure, mirror, cache, monkeypatch
):
    break_mirror(mirror, failure, monkeypatch)
    with pytest.raises(DownloadFailed) as caught:
        download.fetch()
    sentence = str(caught.value)
    assert sentence.startswith("MNIST could not be downloaded (")
    assert sentence.endswith("or set MNIST_DATA to an mnist.npz you have.")
    assert "\n" not in sentence
    assert len(sentence) < 300
    assert os.listdir(cache.parent) == []


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_download_leaves_a_good_file_as_it_was(
    failure, mirror, cache, monkeypatch, other_dataset
):
    before = write_archive(cache, other_dataset).read_bytes()
    break_mirror(mirror, failure, monkeypatch)
    with pytest.raises(DownloadFailed):
        download.fetch()
    assert cache.read_bytes() == before
    assert os.listdir(cache.parent) == ["mnist.npz"]


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ("missing", "Not Found"),
        ("truncate", "retrieval incomplete"),
        ("wrong checksum", "corrupted"),
        ("stall", "timed out"),
        ("refused", "refused"),
    ],
)
def test_the_sentence_says_why_the_download_failed(failure, reason, mirror, monkeypatch):
    break_mirror(mirror, failure, monkeypatch)
    with pytest.raises(DownloadFailed, match=reason):
        download.fetch()


@pytest.mark.parametrize("failure", FAILURES)
def test_visitors_hear_of_a_missing_connection_only_where_nothing_answered(
    failure, mirror, monkeypatch
):
    break_mirror(mirror, failure, monkeypatch)
    with pytest.raises(DownloadFailed) as caught:
        download.fetch()
    offline = failure in ("stall", "silent", "refused")
    expected = "No internet connection" if offline else "The whole of MNIST could not be downloaded"
    assert caught.value.for_visitors == expected


def test_visitors_hear_of_a_missing_connection_where_no_address_is_found(mirror, monkeypatch):
    mirror.url = "http://nowhere.invalid/mnist.npz"
    with pytest.raises(DownloadFailed, match="Errno") as caught:
        download.fetch()
    assert caught.value.for_visitors == "No internet connection"


@pytest.mark.parametrize("behaviour", ["serve", "missing"])
def test_fetch_leaves_other_connections_as_patient_as_they_were(behaviour, mirror):
    mirror.behaviour = behaviour
    before = socket.getdefaulttimeout()
    try:
        download.fetch()
    except DownloadFailed:
        assert behaviour == "missing"
    assert socket.getdefaulttimeout() == before


def test_where_asked_for_a_missing_file_is_downloaded(mirror, tiny_dataset):
    dataset = download.load_or_fetch()
    assert (dataset.source, dataset.note) == ("keras", "")
    assert (dataset.x_test == tiny_dataset.x_test).all()


def test_a_download_keeps_what_it_replaces_in_the_cache(mirror, cache):
    cache.write_bytes(b"my own digits")
    dataset = download.load_or_fetch()
    assert dataset.source == "keras"
    assert (
        dataset.note == f"{cache} is truncated or is not an MNIST archive. A download replaces it."
    )
    assert cache.read_bytes() == mirror.content
    assert cache.with_name("mnist.npz.broken").read_bytes() == b"my own digits"
    assert data.load_dataset().note == ""


def test_a_download_replaces_no_file_that_mnist_data_names(mirror, cache, monkeypatch):
    monkeypatch.setenv("MNIST_DATA", str(cache))
    cache.write_bytes(b"my own digits")
    dataset = download.load_or_fetch()
    assert dataset.source == "sample"
    assert "MNIST_DATA names the file that would be replaced" in dataset.note
    assert list(cache.parent.iterdir()) == [cache]
    assert cache.read_bytes() == b"my own digits"


@pytest.mark.parametrize("behaviour", ["serve", "missing"])
def test_a_missing_mnist_data_is_named_whether_the_download_succeeds_or_not(
    mirror, tmp_path, monkeypatch, behaviour
):
    monkeypatch.setenv("MNIST_DATA", str(tmp_path / "nowhere.npz"))
    mirror.behaviour = behaviour
    note = download.load_or_fetch().note
    assert f"MNIST_DATA names {tmp_path / 'nowhere.npz'}, which does not exist" in note
    assert ("could not be downloaded" in note) == (behaviour == "missing")


def test_a_file_that_is_there_is_not_downloaded_again(mirror, cache, tiny_dataset):
    write_archive(cache, tiny_dataset)
    assert download.load_or_fetch().source == "keras"
    assert mirror.requests == []


def test_nothing_is_downloaded_unless_asked_for(mirror):
    assert data.load_dataset().source == "sample"
    assert mirror.requests == []


def test_after_a_failed_download_the_sample_is_shown_and_the_reason_told(mirror):
    mirror.behaviour = "missing"
    dataset = download.load_or_fetch()
    assert dataset.source == "sample"
    assert dataset.note.startswith("MNIST could not be downloaded (Not Found)")


def test_each_problem_is_told_once(mirror, cache, tmp_path, monkeypatch, tiny_dataset):
    mine = write_archive(tmp_path / "mine.npz", tiny_dataset)
    monkeypatch.setenv("MNIST_DATA", str(mine))
    refuse_to_open(mine, monkeypatch)
    dataset = download.load_or_fetch()
    assert dataset.source == "keras"
    assert dataset.note == f"{mine} cannot be read (Permission denied)."
