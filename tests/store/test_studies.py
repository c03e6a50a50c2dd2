import threading

import numpy as np
import pytest

from mnist_core import data
from mnist_core.analysis import explanation, map_study, maps
from mnist_core.analysis.map_study import MapKey, perform
from mnist_core.classifier import Classifier
from mnist_core.errors import NotAllowed, StoreUnavailable, UserError
from mnist_core.shipped import shipped_artifact
from mnist_core.store import studies
from mnist_core.store.run import FAILED, RUNNING, WAITING
from mnist_core.store.studies import DONE, Study, StudyStore
from mnist_core.store.workers import ENDED, LOST_STUDY
from tests.helpers import add_worker, first_of_each_digit

pytestmark = pytest.mark.databases

FINGERPRINT = "0123456789abcdef"


@pytest.fixture
def study_store(database_url):
    opened = StudyStore(database_url)
    yield opened
    opened.close()


@pytest.fixture
def worker(store):
    """The id of a worker that the database knows."""
    return add_worker(store)


# --- asking ---


def test_a_study_waits_until_a_worker_has_done_it(study_store, worker):
    assert study_store.find("a") is None
    assert study_store.request("a") == Study("a", WAITING, turn=1)
    assert study_store.waiting() == 1
    assert study_store.claim(worker) == Study("a", RUNNING, turn=1, worker=worker)
    assert study_store.waiting() == 0
    study_store.complete("a", worker, b"result")
    assert study_store.find("a") == Study("a", DONE, turn=1, worker=worker, data=b"result")


def test_asking_again_changes_nothing(study_store, worker):
    first = study_store.request("a")
    assert study_store.request("a") == first
    study_store.claim(worker)
    assert study_store.request("a").state == RUNNING
    study_store.complete("a", worker, b"result")
    assert study_store.request("a").data == b"result"
    assert study_store.claim(worker) is None


def test_studies_are_computed_in_the_order_they_were_asked_for(study_store, worker):
    for key in ("b", "a", "c"):
        study_store.request(key)
    assert [study_store.claim(worker).key for _ in range(3)] == ["b", "a", "c"]
    assert study_store.claim(worker) is None


def test_a_failed_study_says_why_and_can_be_asked_for_again(study_store, worker):
    study_store.request("a")
    study_store.request("b")
    study_store.claim(worker)
    study_store.fail("a", worker, "Too wide.")
    failed = study_store.find("a")
    assert (failed.state, failed.message, failed.data) == (FAILED, "Too wide.", None)
    again = study_store.request("a")
    assert (again.state, again.message, again.turn) == (WAITING, "", 3)
    assert study_store.claim(worker).key == "b"


def test_two_who_ask_at_once_ask_for_one_study(study_store):
    threads = [threading.Thread(target=study_store.request, args=("a",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert study_store.waiting() == 1


@pytest.mark.parametrize("key", ["", "x" * 121])
def test_a_key_of_another_length_is_refused(key, study_store):
    for action in (lambda: study_store.request(key), lambda: study_store.keep(key, b"")):
        with pytest.raises(ValueError, match="1 to 120 signs"):
            action()
    assert study_store.request("x" * 120).state == WAITING


def test_a_full_queue_is_named_and_takes_what_it_has_already(study_store, worker, monkeypatch):
    monkeypatch.setattr(studies, "MOST_WAITING", 2)
    study_store.request("a")
    study_store.request("b")
    with pytest.raises(NotAllowed, match="try again"):
        study_store.request("c")
    assert study_store.request("b").state == WAITING
    study_store.claim(worker)
    assert study_store.request("c").state == WAITING


def test_a_database_that_cannot_be_used_is_named(tmp_path):
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        StudyStore(f"sqlite:///{tmp_path / 'no' / 'runs.db'}")


# --- what is kept ---


def test_what_was_computed_elsewhere_is_kept_in_place_of_what_there_was(study_store):
    study_store.request("a")
    study_store.keep("a", b"first")
    study_store.keep("a", b"second")
    assert (study_store.find("a").state, study_store.find("a").data) == (DONE, b"second")
    assert study_store.waiting() == 0


def test_the_oldest_are_forgotten_but_none_that_waits_or_runs(study_store, worker, monkeypatch):
    monkeypatch.setattr(studies, "MOST_STORED", 2)
    study_store.request("running")
    study_store.claim(worker)
    study_store.request("waiting")
    for key in ("first", "second", "third"):
        study_store.keep(key, b"")
    known = {
        key for key in ("running", "waiting", "first", "second", "third") if study_store.find(key)
    }
    assert known == {"running", "waiting", "second", "third"}
    # What just ended was asked for before the others, and goes.
    study_store.complete("running", worker, b"")
    assert study_store.find("running") is None
    assert study_store.find("second")


def test_a_result_that_is_too_large_is_refused(study_store, worker, monkeypatch):
    monkeypatch.setattr(studies, "MOST_BYTES", 3)
    study_store.request("a")
    study_store.claim(worker)
    for action in (study_store.keep, lambda key, data: study_store.complete(key, worker, data)):
        with pytest.raises(ValueError, match="at most 3 bytes, got 4"):
            action("a", b"1234")
    study_store.complete("a", worker, b"123")


# --- workers ---


def test_each_study_is_given_to_exactly_one_of_many_workers(study_store, store):
    keys = [str(number) for number in range(12)]
    for key in keys:
        study_store.request(key)
    claimed = []

    def work(worker_id):
        while study := study_store.claim(worker_id):
            claimed.append(study.key)

    threads = [
        threading.Thread(target=work, args=(add_worker(store, str(number)),)) for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(keys)


def test_a_worker_given_up_for_lost_gets_no_study(study_store, store, worker):
    study_store.request("a")
    store.remove_worker(worker, ENDED)
    assert study_store.claim(worker) is None
    assert study_store.find("a").state == WAITING


def test_a_worker_cannot_touch_a_study_that_is_not_its_own(study_store, worker):
    study_store.request("a")
    for action in (study_store.complete, study_store.fail):
        with pytest.raises(NotAllowed):
            action("a", worker, "x" if action == study_store.fail else b"x")
    study_store.claim(worker)
    with pytest.raises(NotAllowed):
        study_store.complete("a", "other", b"x")
    with pytest.raises(NotAllowed):
        study_store.complete("unknown", worker, b"x")
    study_store.complete("a", worker, b"result")
    with pytest.raises(NotAllowed):
        study_store.fail("a", worker, "too late")
    assert study_store.find("a").data == b"result"


def test_a_lost_workers_study_waits_for_the_next_and_keeps_its_turn(study_store, store):
    for worker_id in ("dead", "alive"):
        add_worker(store, worker_id)
    for key in ("a", "b", "c"):
        study_store.request(key)
    study_store.claim("dead")
    study_store.claim("alive")
    store.remove_worker("dead", ENDED)
    lost = study_store.find("a")
    assert (lost.state, lost.losses, lost.message) == (WAITING, 1, "")
    assert study_store.find("b").state == RUNNING
    with pytest.raises(NotAllowed):
        study_store.complete("a", "dead", b"late")
    assert study_store.claim("alive").key == "a"


def test_what_a_lost_worker_had_done_stays_done(study_store, store, worker):
    study_store.request("a")
    study_store.claim(worker)
    study_store.complete("a", worker, b"result")
    store.remove_worker(worker, ENDED)
    assert study_store.find("a").data == b"result"


def test_a_study_that_loses_three_workers_has_failed(study_store, store):
    study_store.request("a")
    for number in range(3):
        study_store.claim(add_worker(store, str(number)))
        assert study_store.find("a").state == RUNNING
        store.remove_worker(str(number), ENDED)
    failed = study_store.find("a")
    assert (failed.state, failed.message) == (FAILED, LOST_STUDY)
    assert study_store.request("a").losses == 0


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
    assert len(MapKey("train", FINGERPRINT, "x" * 40, 999_999_999).text) <= studies.KEY_LENGTH


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

    with pytest.raises(UserError, match="at most 2,048"):
        maps.features_of(tiny_dataset.x_test, activations)
    assert asked == [1]


def test_points_hold_no_pickles():
    with pytest.raises(ValueError, match="pickle"):
        map_study.unpack_points(np.array([None]).dumps())
