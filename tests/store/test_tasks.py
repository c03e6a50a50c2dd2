from functools import partial

import numpy as np
import pytest

from mnist_core import data
from mnist_core.analysis import explanation, map_study, maps
from mnist_core.analysis.map_study import MapKey, perform
from mnist_core.classifier import Classifier
from mnist_core.errors import NotAllowed, StoreUnavailable, UserError
from mnist_core.shipped import shipped_artifact
from mnist_core.store import queue, tasks
from mnist_core.store.queue import DONE, DOWNLOAD, LOST, STUDY, Task
from mnist_core.store.run import FAILED, RUNNING, WAITING
from tests.helpers import Store, add_worker, at_once, first_of_each_digit

pytestmark = pytest.mark.databases

FINGERPRINT = "0123456789abcdef"


def complete(store, key: str, worker_id: str, result: bytes) -> None:
    """A worker that says it has this study gives its result."""
    store.end(Task(key, STUDY, RUNNING, 0, worker=worker_id), DONE, result=result)


def fail(store, key: str, worker_id: str, message: str) -> None:
    store.end(Task(key, STUDY, RUNNING, 0, worker=worker_id), FAILED, message)


@pytest.fixture
def worker(store):
    """The id of a worker that the database knows."""
    return add_worker(store)


# --- asking ---


def test_a_study_waits_until_a_worker_has_done_it(store, worker):
    assert store.find("a") is None
    assert store.request("a") == Task("a", STUDY, WAITING, turn=1)
    assert store.waiting(STUDY) == 1
    assert store.claim(worker, STUDY) == Task("a", STUDY, RUNNING, turn=1, worker=worker)
    assert store.waiting(STUDY) == 0
    complete(store, "a", worker, b"result")
    assert store.find("a") == Task("a", STUDY, DONE, turn=1, worker=worker, result=b"result")


def test_asking_again_changes_nothing(store, worker):
    first = store.request("a")
    assert store.request("a") == first
    store.claim(worker, STUDY)
    assert store.request("a").state == RUNNING
    complete(store, "a", worker, b"result")
    assert store.request("a").result == b"result"
    assert store.claim(worker, STUDY) is None


def test_studies_are_computed_in_the_order_they_were_asked_for(store, worker):
    for key in ("b", "a", "c"):
        store.request(key)
    assert [store.claim(worker, STUDY).id for _ in range(3)] == ["b", "a", "c"]
    assert store.claim(worker, STUDY) is None


def test_a_failed_study_says_why_and_can_be_asked_for_again(store, worker):
    store.request("a")
    store.request("b")
    store.claim(worker, STUDY)
    fail(store, "a", worker, "Too wide.")
    failed = store.find("a")
    assert (failed.state, failed.message, failed.result) == (FAILED, "Too wide.", None)
    again = store.request("a")
    assert (again.state, again.message, again.turn) == (WAITING, "", 3)
    assert store.claim(worker, STUDY).id == "b"


def test_two_who_ask_at_once_ask_for_one_study(store):
    at_once([lambda: store.request("a")] * 8)
    assert store.waiting(STUDY) == 1


@pytest.mark.parametrize("key", ["", "x" * 121])
def test_a_key_of_another_length_is_refused(key, store):
    for action in (lambda: store.request(key), lambda: store.keep(key, b"")):
        with pytest.raises(ValueError, match="1 to 120 characters"):
            action()
    assert store.request("x" * 120).state == WAITING


def test_a_full_queue_is_named_and_takes_what_it_has_already(store, worker, monkeypatch):
    monkeypatch.setattr(tasks, "MOST_WAITING", 2)
    store.request("a")
    store.request("b")
    with pytest.raises(NotAllowed, match="try again"):
        store.request("c")
    assert store.request("b").state == WAITING
    store.claim(worker, STUDY)
    assert store.request("c").state == WAITING


def test_a_database_that_cannot_be_used_is_named(tmp_path):
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        Store(f"sqlite:///{tmp_path / 'no' / 'runs.db'}")


# --- what is kept ---


def test_what_was_computed_elsewhere_is_kept_in_place_of_what_there_was(store):
    store.request("a")
    store.keep("a", b"first")
    store.keep("a", b"second")
    assert (store.find("a").state, store.find("a").result) == (DONE, b"second")
    assert store.waiting(STUDY) == 0


def test_the_oldest_are_forgotten_but_none_that_waits_or_runs(store, worker, monkeypatch):
    monkeypatch.setattr(queue, "MOST_STUDIES", 2)
    store.request("running")
    store.claim(worker, STUDY)
    store.request("waiting")
    for key in ("first", "second", "third"):
        store.keep(key, b"")
    known = {key for key in ("running", "waiting", "first", "second", "third") if store.find(key)}
    assert known == {"running", "waiting", "second", "third"}
    # What just ended was asked for before the others, and goes.
    complete(store, "running", worker, b"")
    assert store.find("running") is None
    assert store.find("second")


def test_a_result_that_is_too_large_is_refused(store, worker, monkeypatch):
    monkeypatch.setattr(queue, "MOST_RESULT_BYTES", 3)
    store.request("a")
    store.claim(worker, STUDY)
    for action in (store.keep, lambda key, data: complete(store, key, worker, data)):
        with pytest.raises(ValueError, match="at most 3 bytes, got 4"):
            action("a", b"1234")
    complete(store, "a", worker, b"123")


# --- workers ---


def test_each_study_is_given_to_exactly_one_of_many_workers(store):
    keys = [str(number) for number in range(12)]
    for key in keys:
        store.request(key)
    claimed = []

    def work(worker_id):
        while study := store.claim(worker_id, STUDY):
            claimed.append(study.id)

    workers = [add_worker(store, str(number)) for number in range(4)]
    assert at_once([partial(work, worker_id) for worker_id in workers]) == [None] * 4
    assert sorted(claimed) == sorted(keys)


def test_a_worker_given_up_for_lost_gets_no_study(store, worker):
    store.request("a")
    store.remove(worker)
    assert store.claim(worker, STUDY) is None
    assert store.find("a").state == WAITING


def test_a_worker_cannot_touch_a_study_that_is_not_its_own(store, worker):
    store.request("a")
    for action in (complete, fail):
        with pytest.raises(NotAllowed):
            action(store, "a", worker, "x" if action == fail else b"x")
    store.claim(worker, STUDY)
    with pytest.raises(NotAllowed):
        complete(store, "a", "other", b"x")
    with pytest.raises(NotAllowed):
        complete(store, "unknown", worker, b"x")
    complete(store, "a", worker, b"result")
    with pytest.raises(NotAllowed):
        fail(store, "a", worker, "too late")
    assert store.find("a").result == b"result"


def test_a_lost_workers_study_waits_for_the_next_and_keeps_its_turn(store):
    for worker_id in ("dead", "alive"):
        add_worker(store, worker_id)
    for key in ("a", "b", "c"):
        store.request(key)
    store.claim("dead", STUDY)
    store.claim("alive", STUDY)
    store.remove("dead")
    lost = store.find("a")
    assert (lost.state, lost.losses, lost.message) == (WAITING, 1, "")
    assert store.find("b").state == RUNNING
    with pytest.raises(NotAllowed):
        complete(store, "a", "dead", b"late")
    assert store.claim("alive", STUDY).id == "a"


def test_what_a_lost_worker_had_done_stays_done(store, worker):
    store.request("a")
    store.claim(worker, STUDY)
    complete(store, "a", worker, b"result")
    store.remove(worker)
    assert store.find("a").result == b"result"


def test_a_study_that_loses_three_workers_has_failed(store):
    store.request("a")
    for number in range(3):
        store.claim(add_worker(store, str(number)), STUDY)
        assert store.find("a").state == RUNNING
        store.remove(str(number))
    failed = store.find("a")
    assert (failed.state, failed.message) == (FAILED, LOST[STUDY][1])
    assert store.request("a").losses == 0


# --- the download ---


def test_a_download_waits_until_one_worker_has_done_it(store):
    assert store.download() is None
    for worker_id in ("w1", "w2"):
        add_worker(store, worker_id)
    store.request_download()
    assert store.download().state == WAITING
    task = store.claim("w1", DOWNLOAD)
    assert store.claim("w2", DOWNLOAD) is None
    assert store.download().state == RUNNING
    store.end(task, DONE)
    assert store.download().state == DONE
    assert store.claim("w2", DOWNLOAD) is None


def test_a_failed_download_says_why_until_it_is_asked_for_again(store, worker):
    store.request_download()
    store.end(store.claim(worker, DOWNLOAD), FAILED, "No network.")
    assert (store.download().state, store.download().message) == (FAILED, "No network.")
    store.request_download()
    assert (store.download().state, store.download().message) == (WAITING, "")


def test_asking_twice_does_not_start_a_second_download(store, worker):
    store.request_download()
    store.claim(worker, DOWNLOAD)
    store.request_download()
    assert store.download().state == RUNNING


def test_a_download_is_no_study_and_no_study_is_a_download(store, worker):
    store.request_download()
    store.request("a")
    assert store.claim(worker, STUDY).id == "a"
    assert store.claim(worker, STUDY) is None
    with pytest.raises(ValueError, match="key"):
        store.request("mnist")


def test_a_lost_workers_download_waits_for_the_next_and_fails_with_the_third(store):
    store.request_download()
    for number in range(3):
        assert store.claim(add_worker(store, f"w{number}"), DOWNLOAD)
        add_worker(store, "another")
        store.remove("another")
        assert store.download().state == RUNNING
        store.remove(f"w{number}")
    assert (store.download().state, store.download().message) == LOST[DOWNLOAD]


# --- keys ---


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (MapKey("train", FINGERPRINT), f"tsne/train/{FINGERPRINT}/pixels/0"),
        (MapKey("test", FINGERPRINT, "cnn"), f"tsne/test/{FINGERPRINT}/cnn/0"),
        (MapKey("test", FINGERPRINT, "12ab34cd56", 7), f"tsne/test/{FINGERPRINT}/12ab34cd56/7"),
    ],
)
def test_a_map_has_one_key_and_it_can_be_read(key, text):
    assert key.text == text
    assert MapKey.parse(text) == key


def test_the_longest_key_of_a_map_is_short_enough():
    assert len(MapKey("train", FINGERPRINT, "x" * 40, 999_999_999).text) <= tasks.KEY_LENGTH


@pytest.mark.parametrize(
    "text",
    [
        "",
        "suspects/0123456789abcdef",
        f"tsne/valid/{FINGERPRINT}/pixels/0",
        f"tsne/train/{FINGERPRINT[1:]}/pixels/0",
        f"tsne/train/{FINGERPRINT.upper()}/pixels/0",
        f"tsne/train/{FINGERPRINT}/../0",
        f"tsne/train/{FINGERPRINT}//0",
        f"tsne/train/{FINGERPRINT}/{'x' * 41}/0",
        f"tsne/train/{FINGERPRINT}/pixels/-1",
        f"tsne/train/{FINGERPRINT}/pixels/00",
        f"tsne/train/{FINGERPRINT}/pixels/٣",
        f"tsne/train/{FINGERPRINT}/pixels/0\n",
        f"tsne/train/{FINGERPRINT}/pixels/0/0",
    ],
)
def test_what_is_no_key_of_a_map_is_refused(text):
    with pytest.raises(ValueError, match="is not the key of a map"):
        MapKey.parse(text)


@pytest.mark.parametrize(
    "values",
    [("all", FINGERPRINT), ("test", "short"), ("test", FINGERPRINT, "a b"),
     ("test", FINGERPRINT, "cnn", -1)],
)  # fmt: skip
def test_what_makes_no_key_is_refused(values):
    with pytest.raises(ValueError, match="is not the key of a map"):
        MapKey(*values)


# --- the work ---


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_map_of_pixels_is_made_of_the_chosen_images(split, tiny_dataset, mapped):
    images = getattr(tiny_dataset, f"x_{split}")
    labels = getattr(tiny_dataset, f"y_{split}")
    key = MapKey(split, getattr(tiny_dataset, f"{split}_fingerprint"))
    points = map_study.unpack_points(perform(key.text, tiny_dataset))
    assert points.shape == (len(maps.choose(labels)), 2)
    assert np.array_equal(mapped[0], maps.pixels(images[maps.choose(labels)]))
    assert np.array_equal(points, mapped[0][:, :2])


def test_a_map_of_a_network_is_made_of_its_last_hidden_layer(tiny_dataset, mapped):
    key = MapKey("test", tiny_dataset.test_fingerprint, "classic")
    perform(key.text, tiny_dataset, shipped_artifact("classic", "litert"))
    network = Classifier.bundled("classic")
    assert np.array_equal(mapped[0], explanation.hidden(network.activations, tiny_dataset.x_test))
    assert mapped[0].shape == (100, 64)


def test_a_real_map_is_a_small_file_of_points(tiny_dataset):
    few = first_of_each_digit(tiny_dataset.y_test, 2)
    images, labels = tiny_dataset.x_test[few], tiny_dataset.y_test[few]
    dataset = data.Dataset(images, labels, images, labels, "sample")
    result = perform(MapKey("test", dataset.test_fingerprint).text, dataset)
    points = map_study.unpack_points(result)
    assert points.dtype == np.float32
    assert np.array_equal(points, maps.tsne(maps.pixels(images)))
    assert len(result) < 8 * len(points) + 200


def test_digits_that_are_no_longer_at_hand_are_named(tiny_dataset, mapped):
    with pytest.raises(UserError, match="no longer those at hand"):
        perform(MapKey("test", FINGERPRINT).text, tiny_dataset)


def test_a_model_that_does_not_go_with_the_key_is_refused(tiny_dataset, mapped):
    of_network = MapKey("test", tiny_dataset.test_fingerprint, "classic")
    of_pixels = MapKey("test", tiny_dataset.test_fingerprint)
    with pytest.raises(ValueError, match="needs the model"):
        perform(of_network.text, tiny_dataset)
    with pytest.raises(ValueError, match="needs the model"):
        perform(of_pixels.text, tiny_dataset, b"model")


def test_a_layer_that_is_too_wide_is_looked_at_once_only(tiny_dataset):
    asked = []

    def activations(images):
        asked.append(len(images))
        return [np.zeros((len(images), 94_080), np.float32), np.zeros((len(images), 10))]

    with pytest.raises(UserError, match="a map can use 2,048"):
        maps.features_of(tiny_dataset.x_test, activations)
    assert asked == [1]


def test_points_hold_no_pickles():
    with pytest.raises(ValueError, match="pickle"):
        map_study.unpack_points(np.array([None]).dumps())
