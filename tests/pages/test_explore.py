import random
import re

import numpy as np
import pytest

from mnist_core.analysis import map_study, maps
from mnist_core.analysis.label_errors import Suspect, Suspects, study_key
from mnist_core.analysis.map_study import MapKey
from mnist_core.shipped import shipped_runs
from mnist_core.store import engine, rows, tasks
from mnist_core.store.names import title
from mnist_core.store.queue import DONE, STUDY
from mnist_core.store.run import FAILED, KERAS, PREDICTIONS
from tests.helpers import add_worker, cut, finished_run, running_run, write_archive
from tests.pages.helpers import (
    alternative_texts,
    assert_one_sentence,
    assert_shown,
    button,
    buttons,
    captions,
    components,
    dialog_title,
    dismiss,
    headings,
    hold,
    run_on,
    send,
    sentences,
)

VIEWS = ["A sample", "At a glance", "A map", "Doubtful labels"]
CNN = shipped_runs()["cnn"]


def seed(tab):
    (box,) = [box for box in tab.number_input if box.label == "Seed"]
    return box


def digits_shown(tab) -> list[int]:
    """The digit in every picture, from the words for who cannot see it."""
    return [
        int(re.fullmatch(r"A handwritten (\d), image \d+", text)[1])
        for text in alternative_texts(tab)
    ]


def test_fifty_training_digits_of_all_kinds_are_shown_at_first(open_page):
    tab = open_page("explore")
    assert_shown(tab, "explore")
    assert len(digits_shown(tab)) == 50
    assert set(digits_shown(tab)) == set(range(10))
    assert tab.caption[0].value.startswith("50 of 4,000 training images, chosen at random.")


def test_an_address_shows_the_same_digits_to_everyone(open_page):
    address = {"seed": "7", "count": "25", "split": "Test"}
    first, second = open_page("explore", **address), open_page("explore", **address)
    assert first.caption[0].value.startswith("25 of 1,000 test images")
    assert alternative_texts(first) == alternative_texts(second)
    assert alternative_texts(first) != alternative_texts(open_page("explore", count="25"))


def test_a_new_sample_is_another_seed_in_the_address_and_other_digits(open_page, monkeypatch):
    monkeypatch.setattr(random, "randint", lambda low, high: 1234)
    tab = open_page("explore")
    before = alternative_texts(tab)
    button(tab, "New sample").click().run()
    assert seed(tab).value == 1234
    assert tab.query_params["seed"] == "1234"
    assert alternative_texts(tab) != before
    assert alternative_texts(tab) == alternative_texts(open_page("explore", seed="1234"))


def test_a_seed_that_is_typed_is_in_the_address(open_page):
    tab = open_page("explore", seed="7")
    assert seed(tab).value == 7
    seed(tab).set_value(8).run()
    assert tab.query_params["seed"] == "8"


def test_the_other_choices_are_bound_to_the_address(open_page):
    tab = open_page("explore")
    # The browser writes them to the address under these names.
    names = {
        "split": tab.segmented_control(key="split"),
        "count": tab.selectbox(key="count"),
        "digits": tab.pills(key="digits"),
    }
    assert [widget.proto.query_param_key for widget in names.values()] == list(names)


def test_chosen_digits_are_the_only_ones_shown(open_page):
    tab = open_page("explore")
    tab.pills(key="digits").set_value([4, 9]).run()
    assert set(digits_shown(tab)) == {4, 9}
    assert len(digits_shown(tab)) == 50
    tab.pills(key="digits").set_value([]).run()
    assert set(digits_shown(tab)) == set(range(10))


def test_an_address_may_choose_digits(open_page):
    tab = open_page("explore", digits="3")
    assert set(digits_shown(tab)) == {3}


def test_the_number_of_images_can_be_chosen(open_page):
    tab = open_page("explore")
    for count in (25, 100, 200):
        tab.selectbox(key="count").select(count).run()
        assert len(digits_shown(tab)) == count


def test_all_there_are_is_shown_where_there_are_fewer(open_page, full_data):
    tab = open_page("explore", split="Test", count="50", digits="3")
    assert len(digits_shown(tab)) == 10
    assert tab.caption[0].value.startswith("10 of 100 test images")


def test_no_split_chosen_shows_training_images(open_page):
    tab = open_page("explore", split="Test")
    tab.segmented_control(key="split").set_value(None).run()
    assert_shown(tab, "explore")
    assert "of 4,000 training images" in tab.caption[0].value


def test_captions_name_the_digit_that_the_words_name(open_page):
    tab = open_page("explore")
    written = components(tab, "gallery")["sample"]["captions"]
    assert [int(text) for text in written] == digits_shown(tab)


# --- the views ---


@pytest.mark.parametrize("split", ["Training", "Test"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_shows_the_sample_to_its_end(open_page, view, split):
    tab = open_page("explore", show=view, split=split)
    assert_shown(tab, "explore")
    assert sentences(tab, "error", "warning") == []


@pytest.mark.parametrize("split", ["Training", "Test"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_shows_other_data_to_its_end(open_page, full_data, view, split):
    tab = open_page("explore", show=view, split=split)
    assert_shown(tab, "explore")
    assert sentences(tab, "error", "warning") == []


def test_no_view_chosen_shows_a_sample(open_page):
    tab = open_page("explore", show="At a glance")
    tab.segmented_control(key="show").set_value(None).run()
    assert_shown(tab, "explore")
    assert len(digits_shown(tab)) == 50


def test_view_and_method_are_bound_to_the_address(open_page):
    tab = open_page("explore", show="A map")
    for name in ("show", "method"):
        assert tab.segmented_control(key=name).proto.query_param_key == name


def test_at_a_glance_each_digit_is_counted_and_its_mean_and_spread_are_shown(open_page, full_data):
    tab = open_page("explore", show="At a glance", split="Test")
    assert headings(tab) == [
        "How many of each",
        "How much ink",
        "The mean of each digit",
        "Where people write it differently",
    ]
    assert len(tab.get("plotly_chart")) == 2
    assert "10 of 0, 10 of 1" in str(tab.get("plotly_chart")[0].proto)
    assert alternative_texts(tab) == [
        *(f"The mean of all images of a {digit}" for digit in range(10)),
        *(f"The spread of each pixel over the images of a {digit}" for digit in range(10)),
    ]


# --- the address ---

NONSENSE = [
    {"seed": "-1"},
    {"seed": "1e400"},
    {"seed": "abc"},
    {"count": "7"},
    {"digits": "12"},
    {"split": "Nope"},
    {"show": "Nope"},
    {"show": ""},
    {"method": "UMAP"},
    {"image": "test-1000"},
    {"image": "train-4000"},
    {"image": "train-9999999999999"},
    {"image": "train--1"},
    {"image": "valid-1"},
    {"image": "<b>"},
    {"image": ""},
    {"seed": "-1", "count": "7", "digits": "12", "split": "Nope", "image": "x", "show": "x"},
]


@pytest.mark.parametrize("address", NONSENSE)
def test_an_address_out_of_range_shows_what_the_page_shows_without_it(open_page, address):
    tab = open_page("explore", **address)
    assert_shown(tab, "explore")
    assert alternative_texts(tab) == alternative_texts(open_page("explore"))


@pytest.mark.parametrize("address", NONSENSE)
def test_an_address_out_of_range_is_said_in_one_sentence(open_page, address):
    tab = open_page("explore", **address)
    assert_one_sentence(sentences(tab, "error", "warning"), "invalid values")
    assert all(name in sentences(tab, "warning")[0] for name in address)
    assert not set(address) & set(tab.query_params) - {"seed"}


# --- one digit, large ---


def test_a_digit_that_is_chosen_opens_large_and_is_in_the_address(open_page):
    tab = open_page("explore", seed="3")
    label, place = re.fullmatch(
        r"A handwritten (\d), image (\d+)", alternative_texts(tab)[4]
    ).groups()
    send(tab, "sample", chosen=4)
    assert_shown(tab, "explore")
    assert dialog_title(tab) == f"Training image {place}: labelled {label}"
    assert tab.query_params["image"] == f"train-{place}"


def test_an_address_opens_a_digit(open_page, sample):
    tab = open_page("explore", image="test-999")
    assert_shown(tab, "explore")
    assert sentences(tab, "error", "warning") == []
    assert dialog_title(tab) == f"Test image 999: labelled {sample.y_test[999]}"


def test_a_digit_can_be_asked_for_by_its_number(open_page, sample):
    tab = open_page("explore", split="Test")
    tab.number_input(key="number").set_value(321)
    button(tab, "Show it").click().run()
    assert dialog_title(tab) == f"Test image 321: labelled {sample.y_test[321]}"
    assert tab.query_params["image"] == "test-321"


def test_no_number_can_be_asked_for_that_no_image_has(open_page):
    tab = open_page("explore")
    assert (tab.number_input(key="number").min, tab.number_input(key="number").max) == (0, 3999)
    tab.number_input(key="number").set_value(3999).run()
    tab.segmented_control(key="split").set_value("Test").run()
    assert_shown(tab, "explore")
    assert tab.number_input(key="number").max == 999
    assert tab.number_input(key="number").value <= 999


def test_a_digit_that_is_closed_leaves_the_address(open_page):
    tab = open_page("explore", image="train-5")
    dismiss(tab)
    assert_shown(tab, "explore")
    assert dialog_title(tab) is None
    assert "image" not in tab.query_params
    tab.run()
    assert dialog_title(tab) is None


def test_networks_say_what_they_read_in_it(open_page, sample):
    tab = open_page("explore", image="test-8")
    label = sample.y_test[8]
    (said,) = [text.value for text in tab.text]
    assert said == f"{title(CNN)} reads a {label}: right."
    tab.multiselect(key="asked").set_value(["cnn", "classic"]).run()
    assert len(tab.text) == 2
    assert tab.text[1].value.startswith(title(shipped_runs()["classic"]))


def test_a_network_that_reads_something_else_than_the_label_is_not_called_wrong(open_page):
    # The label is in doubt itself: see mnist_core/assets/suspected.
    tab = open_page("explore", image="train-1160")
    (said,) = [text.value for text in tab.text]
    assert re.search(r"reads a \d: (right|not its label)\.$", said)


def test_of_a_training_image_it_is_said_that_networks_have_seen_it(open_page, full_data):
    part = "so their answers are no test"
    assert any(part in text for text in captions(open_page("explore", image="train-8")))
    assert not any(part in text for text in captions(open_page("explore", image="test-8")))


def test_of_the_samples_test_images_it_is_said_which_networks_were_trained_on_them(open_page):
    tab = open_page("explore", image="test-8")
    tab.multiselect(key="asked").set_value(["sample", "cnn", "classic"]).run()
    (said,) = [text for text in captions(tab) if "no test" in text]
    assert said.endswith("no test: cnn · built-in, classic · built-in.")
    tab.multiselect(key="asked").set_value(["sample"]).run()
    assert not any("no test" in text for text in captions(tab))


def test_its_neighbours_are_shown_and_open_in_its_place(open_page, sample):
    tab = open_page("explore", image="test-8")
    near = components(tab, "gallery")["neighbours"]
    assert len(near["texts"]) == 12
    place, label = re.match(r"Training image (\d+), labelled (\d)", near["texts"][2]).groups()
    assert near["captions"][2] == label == str(sample.y_train[int(place)])
    same = near["captions"].count(str(sample.y_test[8]))
    assert any(text.startswith(f"{same} of 12 have the same label.") for text in captions(tab))
    send(tab, "neighbours", chosen=2)
    assert_shown(tab, "explore")
    assert dialog_title(tab) == f"Training image {place}: labelled {label}"


def test_a_training_image_is_not_its_own_neighbour(open_page):
    near = components(open_page("explore", image="train-8"), "gallery")["neighbours"]
    assert not any(text.startswith("Training image 8,") for text in near["texts"])


def test_a_doubt_about_its_label_is_said(open_page):
    tab = open_page("explore", show="Doubtful labels")
    place = re.search(r"\d+$", alternative_texts(tab)[0])[0]
    send(tab, "suspects", chosen=0)
    assert tab.query_params["image"] == f"train-{place}"
    assert any(
        "A network that was not trained on this image reads a" in t for t in sentences(tab, "info")
    )
    other = open_page("explore", image="train-0")
    assert not any("A network that was not trained" in text for text in sentences(other, "info"))


def test_the_network_of_the_page_is_asked_first(open_page):
    tab = open_page("explore", split="Test", show="Doubtful labels", run="classic", image="test-1")
    assert tab.multiselect(key="asked").value == ["classic"]


def test_a_network_that_is_gone_is_a_sentence_in_its_place(open_page, store):
    run = running_run(store)
    store.complete(run.id, "worker", "finished", artifacts={KERAS: b"a network"})
    tab = open_page("explore", image="test-1")
    tab.multiselect(key="asked").set_value([run.id, "cnn"]).run()
    assert_one_sentence(sentences(tab, "error"), f"Run {run.id} has no")
    assert [text.value.split(" reads")[0] for text in tab.text] == [title(CNN)]
    assert components(tab, "gallery")["neighbours"]


def test_the_names_of_networks_are_no_markdown(open_page, store):
    run = finished_run(store, "me")
    # An earlier version allowed it.
    with store.database.write() as connection:
        rows.change_run(connection, run.id, name="- a list")
    tab = open_page("explore", image="test-1")
    tab.multiselect(key="asked").set_value([run.id]).run()
    assert tab.text[0].value.startswith("- a list")


def test_a_digit_that_is_gone_with_its_data_is_said(open_page, monkeypatch, tmp_path, tiny_dataset):
    tab = open_page("explore", image="train-3999")
    monkeypatch.setenv("MNIST_DATA", str(write_archive(tmp_path / "mnist.npz", tiny_dataset)))
    tab.run()
    assert_shown(tab, "explore")
    assert dialog_title(tab) is None
    assert_one_sentence(sentences(tab, "warning"), "invalid values (image)")


# --- a map ---


def map_shown(tab, key: str = "pixels") -> dict:
    return components(tab, "digit_map")[f"map_{key}"]


def points_of(shown: dict) -> dict:
    return {axis: shown[axis] for axis in "xy"}


def tsne_key(dataset, split: str = "train", features: str = "pixels") -> str:
    return MapKey(split, getattr(dataset, f"{split}_fingerprint"), features).text


def compute(store, points: np.ndarray) -> None:
    """What a worker does with the study whose turn it is."""
    study = store.claim(add_worker(store), STUDY)
    store.end(store.find(study.id), DONE, result=map_study.pack_points(points))


def test_a_map_by_pca_is_there_at_once(open_page, full_data, store):
    tab = open_page("explore", show="A map")
    shown = map_shown(tab)
    assert headings(tab) == ["Raw pixels"]
    assert len(shown["x"]) == len(shown["y"]) == len(shown["names"]) == 400
    assert shown["names"][0] == f"{full_data.y_train[0]} · training image 0"
    assert shown["lassoed"] is None
    assert any("400 training images. PCA: the two directions hold" in t for t in captions(tab))
    assert store.waiting(STUDY) == 0


def test_the_pictures_of_a_map_are_one_file_that_is_kept(open_page, full_data, tmp_path):
    address = map_shown(open_page("explore", show="A map"))["sprite"]
    assert address == f"app/static/digits-train-{full_data.train_fingerprint}.png"
    expected = maps.sprite(full_data.x_train)
    assert (tmp_path / "static" / address.rsplit("/", 1)[1]).read_bytes() == expected
    assert map_shown(open_page("explore", show="A map"))["sprite"] == address


def test_a_networks_last_hidden_layer_is_another_map_beside_it(open_page, full_data):
    tab = open_page("explore", show="A map", beside="classic")
    assert_shown(tab, "explore")
    assert headings(tab) == ["Raw pixels", title(shipped_runs()["classic"])]
    assert points_of(map_shown(tab)) != points_of(map_shown(tab, "classic"))


def test_a_point_that_is_clicked_opens_large(open_page, full_data):
    tab = open_page("explore", show="A map", split="Test")
    send(tab, "map_pixels", chosen=7)
    assert_shown(tab, "explore")
    assert dialog_title(tab) == f"Test image 7: labelled {full_data.y_test[7]}"


def test_what_is_lassoed_is_shown_below_on_all_maps_and_can_be_forgotten(open_page, full_data):
    tab = open_page("explore", show="A map", beside="classic")
    send(tab, "map_pixels", lassoed=[5, 3, 5])
    assert_shown(tab, "explore")
    assert "2 digits in the loop" in headings(tab)
    assert map_shown(tab)["lassoed"] == map_shown(tab, "classic")["lassoed"] == [3, 5]
    labels = full_data.y_train
    assert alternative_texts(tab) == [f"A handwritten {labels[n]}, image {n}" for n in (3, 5)]
    send(tab, "lassoed_digits", chosen=1)
    assert dialog_title(tab) == f"Training image 5: labelled {labels[5]}"
    dismiss(tab)
    button(tab, "Clear selection").click().run()
    assert map_shown(tab)["lassoed"] is None
    assert alternative_texts(tab) == []


def test_an_empty_loop_forgets_the_one_before(open_page, full_data):
    tab = open_page("explore", show="A map")
    send(tab, "map_pixels", lassoed=[3])
    assert "1 digit in the loop" in headings(tab)
    send(tab, "map_pixels", lassoed=[])
    assert map_shown(tab)["lassoed"] is None


def test_of_a_large_loop_the_first_sixty_are_shown_and_all_are_counted(open_page, full_data):
    tab = open_page("explore", show="A map")
    send(tab, "map_pixels", lassoed=list(range(400)))
    assert "400 digits in the loop" in headings(tab)
    assert len(alternative_texts(tab)) == 60
    assert any(text.count("40× ") == 10 for text in captions(tab))


def test_all_of_one_digit_can_be_looped_without_a_mouse(open_page, full_data):
    tab = open_page("explore", show="A map")
    tab.pills(key="looped_digit").set_value(4).run()
    assert "40 digits in the loop" in headings(tab)
    assert "40× 4" in captions(tab)
    assert len(map_shown(tab)["lassoed"]) == 40
    # A loop of another kind takes its place.
    send(tab, "map_pixels", lassoed=[3])
    assert "1 digit in the loop" in headings(tab)
    assert tab.pills(key="looped_digit").value is None


def test_a_loop_is_of_its_split_and_of_its_data(
    open_page, full_data, sample, monkeypatch, tmp_path
):
    tab = open_page("explore", show="A map")
    send(tab, "map_pixels", lassoed=[399])
    tab.segmented_control(key="split").set_value("Test").run()
    assert map_shown(tab)["lassoed"] is None
    tab.segmented_control(key="split").set_value("Training").run()
    assert map_shown(tab)["lassoed"] == [399]
    smaller = write_archive(tmp_path / "smaller.npz", cut(sample, train=5, test=5))
    monkeypatch.setenv("MNIST_DATA", str(smaller))
    tab.run()
    assert_shown(tab, "explore")
    assert map_shown(tab)["lassoed"] is None


def test_nonsense_from_a_browser_changes_nothing_on_a_map(open_page, full_data):
    tab = open_page("explore", show="A map")
    for events in (
        {"chosen": -1},
        {"chosen": 400},
        {"chosen": 1.0},
        {"chosen": True},
        {"chosen": "7"},
        {"chosen": [7]},
        {"chosen": {"x": 7}},
        {"chosen": 10**400},
        {"lassoed": 7},
        {"lassoed": "777"},
        {"lassoed": {"x": 7}},
        {"lassoed": [-1, 400, True, None, "7", [7], {"x": 7}, 1e400, float("nan")]},
        {"lassoed": [7] * 2001},
        {"another": 7},
    ):
        send(tab, "map_pixels", **events)
        assert_shown(tab, "explore")
        assert sentences(tab, "error", "warning") == [], events
        assert dialog_title(tab) is None, events
        assert map_shown(tab)["lassoed"] is None, events


def test_nonsense_from_a_browser_opens_no_digit(open_page):
    tab = open_page("explore")
    for value in (-1, 50, 4.0, True, False, "4", [4], {"x": 4}, 10**400, float("nan")):
        send(tab, "sample", chosen=value)
        assert_shown(tab, "explore")
        assert dialog_title(tab) is None, value
        assert "image" not in tab.query_params, value


def test_of_a_loop_only_the_points_that_are_there_are_taken(open_page, full_data):
    tab = open_page("explore", show="A map")
    send(tab, "map_pixels", lassoed=[399, 400, -1, 0, "1"])
    assert map_shown(tab)["lassoed"] == [0, 399]


def test_without_a_folder_to_write_to_a_map_is_a_sentence(
    open_page, full_data, monkeypatch, tmp_path
):
    (tmp_path / "file").touch()
    monkeypatch.setattr("pages.server.served.STATIC", tmp_path / "file" / "static")
    tab = open_page("explore", show="A map")
    assert_shown(tab, "explore")
    assert components(tab, "digit_map") == {}
    assert len(sentences(tab, "info", "warning")) == 1


# --- a map by t-SNE ---


def test_a_map_by_tsne_is_asked_for_once_by_many_visitors(open_page, full_data, store, may_train):
    by_pca = points_of(map_shown(open_page("explore", show="A map")))
    for _ in range(3):
        tab = open_page("explore", show="A map", method="t-SNE")
        assert_shown(tab, "explore")
        assert_one_sentence(sentences(tab), "is computing this map")
        assert points_of(map_shown(tab)) == by_pca
    assert store.waiting(STUDY) == 1
    assert store.find(tsne_key(full_data)).state == "waiting"


def test_each_map_by_tsne_is_a_study_of_its_own(open_page, full_data, store, may_train):
    open_page("explore", show="A map", method="t-SNE", beside="classic")
    open_page("explore", show="A map", method="t-SNE", split="Test")
    assert store.waiting(STUDY) == 3
    for key in (
        tsne_key(full_data),
        tsne_key(full_data, "test"),
        tsne_key(full_data, features="classic"),
    ):
        assert store.find(key).state == "waiting"


def test_a_map_by_tsne_is_shown_once_it_is_there(open_page, full_data, store, may_train):
    tab = open_page("explore", show="A map", method="t-SNE")
    by_pca = points_of(map_shown(tab))
    points = np.random.default_rng(0).random((400, 2), np.float32)
    compute(store, points)
    tab.run()
    assert_shown(tab, "explore")
    assert sentences(tab) == []
    assert points_of(map_shown(tab)) == maps.compact(points) != by_pca
    assert any("t-SNE: neighbours stay neighbours" in text for text in captions(tab))
    tab.segmented_control(key="method").set_value("PCA").run()
    assert points_of(map_shown(tab)) == by_pca


def test_a_map_that_is_being_computed_is_waited_for(open_page, full_data, store, may_train):
    tab = open_page("explore", show="A map", method="t-SNE")
    store.claim(add_worker(store), STUDY)
    tab.run()
    assert_one_sentence(sentences(tab), "is computing this map")


def test_a_map_that_failed_says_why_and_can_be_tried_again(open_page, full_data, store, may_train):
    open_page("explore", show="A map", method="t-SNE")
    study = store.claim(add_worker(store), STUDY)
    store.end(study, FAILED, "It could not be computed; the server's log says why.")
    tab = open_page("explore", show="A map", method="t-SNE")
    assert_shown(tab, "explore")
    assert_one_sentence(sentences(tab), "There is no t-SNE map: It could not be computed")
    assert len(map_shown(tab)["x"]) == 400
    assert store.find(study.id).state == "failed", "nobody asks again by looking"
    button(tab, "Try again").click().run()
    assert store.find(study.id).state == "waiting"
    assert_one_sentence(sentences(tab), "is computing this map")
    assert "Try again" not in buttons(tab)


def fill(store) -> None:
    for number in range(tasks.MOST_WAITING):
        store.request(f"another/{number}")


def test_a_full_queue_of_studies_is_a_sentence_and_pca_is_there(
    open_page, full_data, store, may_train
):
    fill(store)
    tab = open_page("explore", show="A map", method="t-SNE")
    assert_shown(tab, "explore")
    assert_one_sentence(sentences(tab), "try again in a few minutes. PCA is shown meanwhile.")
    assert len(map_shown(tab)["x"]) == 400


def test_trying_again_when_the_queue_is_full_is_a_sentence(open_page, full_data, store, may_train):
    open_page("explore", show="A map", method="t-SNE")
    study = store.claim(add_worker(store), STUDY)
    store.end(study, FAILED, "It failed.")
    tab = open_page("explore", show="A map", method="t-SNE")
    fill(store)
    button(tab, "Try again").click().run()
    assert_shown(tab, "explore")
    assert_one_sentence(sentences(tab, "error"), "try again in a few minutes.")
    assert "Try again" in buttons(tab)


def test_a_server_without_workers_promises_no_map(open_page, full_data, store):
    tab = open_page("explore", show="A map", method="t-SNE")
    assert_shown(tab, "explore")
    assert_one_sentence(sentences(tab), "This map waits for a training process.")
    assert "MNIST_WORKERS is 0" in sentences(tab)[0]
    assert len(map_shown(tab)["x"]) == 400
    assert store.waiting(STUDY) == 1, "another server's worker may compute it"


def test_a_server_without_workers_shows_maps_that_others_computed(open_page, full_data, store):
    store.request(tsne_key(full_data))
    store.claim(add_worker(store), STUDY)
    tab = open_page("explore", show="A map", method="t-SNE")
    assert_one_sentence(sentences(tab), "is computing this map")
    points = np.random.default_rng(0).random((400, 2), np.float32)
    store.end(store.find(tsne_key(full_data)), DONE, result=map_study.pack_points(points))
    tab.run()
    assert sentences(tab) == []
    assert points_of(map_shown(tab)) == maps.compact(points)


def test_without_a_database_a_map_by_pca_is_shown_and_a_sentence(
    open_page, full_data, monkeypatch, tmp_path
):
    monkeypatch.setenv("MNIST_DATABASE_URL", f"sqlite:///{tmp_path / 'no' / 'runs.db'}")
    tab = open_page("explore", show="A map", method="t-SNE")
    assert_shown(tab, "explore")
    assert sentences(tab, "error") == []
    runs_away, map_away = sentences(tab, "warning")
    assert_one_sentence([runs_away], "the built-in networks are shown.")
    assert_one_sentence([map_away], "check that its folder exists")
    assert len(map_shown(tab)["x"]) == 400


def test_a_map_that_a_locked_database_cannot_take_is_a_sentence_until_it_can(
    open_page, full_data, store, may_train, monkeypatch, tmp_path
):
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    tab = open_page("explore", show="A map")
    other = hold(tmp_path / "runs.db")
    tab.segmented_control(key="method").set_value("t-SNE").run()
    assert_shown(tab, "explore")
    assert_one_sentence(sentences(tab), "PCA is shown meanwhile.")
    assert len(map_shown(tab)["x"]) == 400
    other.close()
    tab.run()
    assert_one_sentence(sentences(tab), "is computing this map")
    assert store.waiting(STUDY) == 1


def test_a_network_whose_layer_is_too_wide_is_a_sentence_beside_the_pixels(
    open_page, full_data, monkeypatch
):
    monkeypatch.setattr(maps, "MOST_FEATURES", 50)
    monkeypatch.setattr(maps, "pixels", lambda images: images.reshape(len(images), -1)[:, 300:350])
    tab = open_page("explore", show="A map", beside="classic")
    assert_shown(tab, "explore")
    assert_one_sentence(sentences(tab), "Choose another network, or the pixels.")
    assert len(map_shown(tab)["x"]) == 400


# --- labels in doubt ---


def test_training_images_whose_label_is_in_doubt_are_shown_most_doubtful_first(open_page):
    tab = open_page("explore", show="Doubtful labels")
    assert_shown(tab, "explore")
    shown = components(tab, "gallery")["suspects"]
    assert all(re.fullmatch(r"\d, or \d\?", caption) for caption in shown["captions"])
    assert 0 < len(shown["captions"]) <= 60
    assert any("the 4,000 training images" in text.value for text in tab.markdown)


def test_where_nobody_looked_for_doubtful_labels_it_is_said_how(open_page, full_data):
    tab = open_page("explore", show="Doubtful labels")
    assert_shown(tab, "explore")
    assert_one_sentence(sentences(tab), "python -m mnist_core suspects")
    assert alternative_texts(tab) == []


def test_doubtful_labels_that_were_found_here_are_shown(open_page, full_data, store):
    suspect = Suspect(7, int(full_data.y_train[7]), 3, 0.9, 0.01)
    found = Suspects(full_data.train_fingerprint, "quick", 400, 1, (suspect,))
    store.keep(study_key(full_data.train_fingerprint), found.to_json().encode())
    tab = open_page("explore", show="Doubtful labels")
    assert components(tab, "gallery")["suspects"]["captions"] == [f"{suspect.label}, or 3?"]
    assert any("**1** were read as" in text.value for text in tab.markdown)


def test_test_images_in_doubt_are_a_networks_surest_mistakes(open_page, store, full_data):
    run = run_on(store, full_data, {(4, 9): 2, (7, 1): 1})
    tab = open_page("explore", show="Doubtful labels", split="Test", run=run.id)
    assert_shown(tab, "explore")
    written = components(tab, "gallery")["mistakes"]["captions"]
    assert sorted(written) == ["4, or 9?", "4, or 9?", "7, or 1?"]
    send(tab, "mistakes", chosen=0)
    assert dialog_title(tab).startswith("Test image")


def test_a_network_without_mistakes_leaves_no_test_image_in_doubt(open_page, store, full_data):
    run = run_on(store, full_data, {})
    tab = open_page("explore", show="Doubtful labels", split="Test", run=run.id)
    assert_shown(tab, "explore")
    assert alternative_texts(tab) == []


def test_a_network_tested_on_other_images_is_a_sentence_in_place_of_doubts(open_page):
    tab = open_page("explore", show="Doubtful labels", split="Test", run="cnn")
    assert_shown(tab, "explore")
    assert any("the pictures cannot be shown" in text for text in sentences(tab, "info"))
    assert alternative_texts(tab) == []


@pytest.mark.parametrize("predictions", [None, b"", b"of an older version"])
def test_a_network_whose_predictions_cannot_be_read_is_a_sentence_in_place_of_doubts(
    open_page, store, full_data, predictions
):
    run = running_run(store)
    artifacts = {KERAS: b"a network"} | ({PREDICTIONS: predictions} if predictions else {})
    store.complete(
        run.id,
        "worker",
        "finished",
        results={"test_accuracy": 0.9, "test_fingerprint": full_data.test_fingerprint},
        artifacts=artifacts,
    )
    tab = open_page("explore", show="Doubtful labels", split="Test", run=run.id)
    assert_shown(tab, "explore")
    assert_one_sentence(sentences(tab), "so there is nothing to evaluate.")
