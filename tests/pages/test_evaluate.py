import io
import json
import re

import numpy as np
import pytest
import streamlit as st
from PIL import Image

from mnist_core.analysis.predictions import Predictions
from mnist_core.config import TrainConfig
from mnist_core.shipped import shipped_runs
from mnist_core.store.run import FINISHED, KERAS, LITERT, PREDICTIONS, STOPPED
from tests.helpers import CLASSIC as CLASSIC_FOLDER
from tests.helpers import finished_run, running_run, write_archive
from tests.pages.helpers import (
    alternative_texts,
    assert_one_sentence,
    assert_shown,
    captions,
    click_cell,
    components,
    dialog_title,
    dismiss,
    headings,
    metrics,
    run_on,
    send,
    sentences,
    table_rows,
)

CLASSIC = shipped_runs()["classic"]
VIEWS = ["Confusion", "Digit by digit", "Most confident mistakes", "Confidence", "Compare two"]
NO_PICTURES = "so the pictures cannot be shown. The numbers are valid."
OTHER_NETWORK = "Choose the network sample to see pictures."


@pytest.fixture
def run(store, full_data):
    """A run on the 100 test images at hand, 10 of each digit, that reads 6 wrongly."""
    return run_on(store, full_data, {(4, 9): 3, (7, 1): 2, (8, 3): 1})


def cell(tab) -> str:
    """The heading over the images of the chosen cell."""
    (heading,) = [text for text in headings(tab) if text.startswith("True ")]
    return heading


def choose(tab, true: int, predicted: int):
    tab.selectbox(key="true").select(true)
    return tab.selectbox(key="predicted").select(predicted).run()


def network(tab):
    (box,) = [box for box in tab.selectbox if box.label == "Network"]
    return box


def test_it_shows_how_good_the_network_is_and_how_sure_that_is(open_page, run):
    tab = open_page("evaluate", run=run.id)
    assert_shown(tab, "evaluate")
    assert metrics(tab) == {
        "Test accuracy": "94.00%",
        "Misclassified": "6 of 100",
        "95% confidence interval": "87.52% – 97.22%",
    }
    assert sentences(tab) == []


def test_the_commonest_mistake_is_chosen_at_first(open_page, run):
    tab = open_page("evaluate", run=run.id)
    assert cell(tab) == "True 4, predicted 9: 3 images"
    texts = alternative_texts(tab)
    assert len(texts) == 3
    assert all(text.endswith("a 4, read as 9 with probability 91%") for text in texts)


def test_the_two_select_boxes_choose_the_cell(open_page, run):
    tab = open_page("evaluate", run=run.id)
    choose(tab, 7, 1)
    assert cell(tab) == "True 7, predicted 1: 2 images"
    assert len(alternative_texts(tab)) == 2
    choose(tab, 8, 3)
    assert cell(tab) == "True 8, predicted 3: 1 image"
    choose(tab, 5, 5)
    assert cell(tab) == "True 5, predicted 5: 10 images"
    # The browser writes them to the address under these names.
    assert tab.selectbox(key="true").proto.query_param_key == "true"
    assert tab.selectbox(key="predicted").proto.query_param_key == "predicted"


def test_an_empty_cell_says_so(open_page, run):
    tab = choose(open_page("evaluate", run=run.id), 0, 1)
    assert cell(tab) == "True 0, predicted 1: 0 images"
    assert any("No test images are in this cell." in text.value for text in tab.markdown)
    assert alternative_texts(tab) == []


def test_an_address_chooses_the_cell(open_page, run):
    tab = open_page("evaluate", run=run.id, true="7", predicted="1")
    assert cell(tab) == "True 7, predicted 1: 2 images"
    tab = open_page("evaluate", run=run.id, true="4", predicted="9")
    assert cell(tab) == "True 4, predicted 9: 3 images"


def test_a_full_cell_shows_the_sixty_the_network_is_surest_of(open_page, store, sample):
    run = run_on(store, sample, {})
    tab = open_page("evaluate", run=run.id, true="3", predicted="3")
    assert cell(tab) == "True 3, predicted 3: 100 images"
    assert len(alternative_texts(tab)) == 60
    assert "The first 60 of 100." in captions(tab)


def test_the_table_has_a_row_for_each_digit(open_page, run):
    tab = open_page("evaluate", run=run.id, view="Digit by digit")
    assert_shown(tab, "evaluate")
    header, *rows = table_rows(tab)
    assert header == [
        "Digit", "Precision", "Recall", "F1", "Images", "Wrong", "Most often confused with",
    ]  # fmt: skip
    assert [row[0] for row in rows] == [str(digit) for digit in range(10)]
    assert rows[4] == ["4", "100.00%", "70.00%", "82.35%", "10", "3", "9 (3×)"]
    assert rows[9] == ["9", "76.92%", "100.00%", "86.96%", "10", "0", "–"]


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("Digit", "0123"),
        ("Lowest F1", "4"),
        ("Lowest precision", "9"),
        ("Lowest recall", "478"),
        ("Most mistakes", "478"),
    ],
)
def test_the_table_is_sorted_as_wished(open_page, run, order, first):
    tab = open_page("evaluate", run=run.id, view="Digit by digit")
    box = tab.selectbox(key="order")
    assert box.value == "Digit"
    box.select(order).run()
    assert "".join(row[0] for row in table_rows(tab)[1:]).startswith(first)
    assert box.proto.query_param_key == "order"
    tab = open_page("evaluate", run=run.id, view="Digit by digit", order=order)
    assert "".join(row[0] for row in table_rows(tab)[1:]).startswith(first)


def test_the_heatmap_is_there_in_all_its_forms(open_page, run):
    tab = open_page("evaluate", run=run.id)
    tab.toggle(key="mistakes").set_value(True).run()
    assert_shown(tab, "evaluate")
    for numbers in ("% of row (true digit)", "% of column (predicted digit)"):
        tab.segmented_control(key="numbers").set_value(numbers).run()
        assert_shown(tab, "evaluate")
        assert list(components(tab, "heatmap")) == ["heatmap"]
    for name in ("view", "numbers"):
        assert tab.segmented_control(key=name).proto.query_param_key == name
    assert tab.toggle(key="mistakes").proto.query_param_key == "mistakes"


def test_a_click_on_the_heatmap_chooses_the_cell(open_page, run):
    tab = open_page("evaluate", run=run.id)
    click_cell(tab, "heatmap", 7, 1)
    assert_shown(tab, "evaluate")
    assert cell(tab) == "True 7, predicted 1: 2 images"
    assert (tab.selectbox(key="true").value, tab.selectbox(key="predicted").value) == (7, 1)


def test_nonsense_from_a_browser_chooses_no_cell(open_page, run):
    tab = open_page("evaluate", run=run.id)
    for value in (-1, 100, True, "71", [71], None, 71.0, 10**400, {"x": 1}):
        send(tab, "heatmap", chosen=value)
        assert_shown(tab, "evaluate")
        assert sentences(tab) == [], value
        assert cell(tab) == "True 4, predicted 9: 3 images", value


def test_the_heatmap_marks_the_chosen_cell_and_names_each(open_page, run):
    tab = open_page("evaluate", run=run.id)
    assert components(tab, "heatmap")["heatmap"]["chosen"] == 49
    choose(tab, 7, 1)
    shown = components(tab, "heatmap")["heatmap"]
    assert shown["chosen"] == 71
    names = json.loads(shown["figure"])["data"][0]["hovertext"]
    assert names[7][1] == "true 7, predicted 1, 2 images"


def test_a_network_without_mistakes_can_be_shown(open_page, store, full_data):
    run = run_on(store, full_data, {})
    tab = open_page("evaluate", run=run.id)
    assert_shown(tab, "evaluate")
    assert metrics(tab)["Misclassified"] == "0 of 100"
    tab.toggle(key="mistakes").set_value(True).run()
    assert_shown(tab, "evaluate")


def test_another_network_can_be_chosen_and_is_in_the_address(open_page, store, full_data, run):
    other = run_on(store, full_data, {(1, 7): 5})
    tab = open_page("evaluate", run=run.id)
    network(tab).select(other.id).run()
    assert tab.query_params["run"] == other.id
    assert metrics(tab)["Misclassified"] == "5 of 100"
    assert_shown(tab, "evaluate")


def test_only_runs_with_a_network_are_offered(open_page, store):
    finished, stopped = finished_run(store), finished_run(store, state="stopped")
    running = running_run(store)
    failed = running_run(store)
    store.complete(failed.id, "worker", "failed", message="It ended.")
    offered = " ".join(network(open_page("evaluate")).options)
    assert finished.id in offered
    assert stopped.id in offered
    assert running.id not in offered
    assert failed.id not in offered


def test_a_run_on_other_test_images_shows_its_numbers_and_a_sentence_for_pictures(
    open_page, store, full_data
):
    run = finished_run(store, test_fingerprint="0123456789abcdef")
    tab = open_page("evaluate", run=run.id)
    assert_shown(tab, "evaluate")
    assert metrics(tab)["Test accuracy"] == f"{CLASSIC.test_accuracy:.2%}"
    assert (
        metrics(tab)["Misclassified"]
        == f"{10_000 - round(10_000 * CLASSIC.test_accuracy)} of 10,000"
    )
    assert_one_sentence(sentences(tab), NO_PICTURES)
    assert alternative_texts(tab) == []
    tab = open_page("evaluate", run=run.id, view="Digit by digit")
    assert_shown(tab, "evaluate")
    assert sentences(tab) == []
    assert len(table_rows(tab)) == 11
    tab = open_page("evaluate", run=run.id, view="Most confident mistakes")
    assert_shown(tab, "evaluate")
    assert_one_sentence(sentences(tab), NO_PICTURES)
    assert alternative_texts(tab) == []


def test_with_the_sample_at_hand_a_shipped_run_shows_its_numbers(open_page):
    tab = open_page("evaluate", run="classic")
    assert (
        metrics(tab)["Misclassified"]
        == f"{10_000 - round(10_000 * CLASSIC.test_accuracy)} of 10,000"
    )
    assert any(f"{NO_PICTURES} {OTHER_NETWORK}" in text for text in sentences(tab, "info"))


@pytest.mark.parametrize(("view", "least"), [("Confusion", 1), ("Most confident mistakes", 5)])
def test_with_the_sample_at_hand_evaluate_opens_with_a_network_whose_images_are_here(
    open_page, view, least
):
    tab = open_page("evaluate", view=view)
    assert_shown(tab, "evaluate")
    assert tab.query_params["run"] == "sample"
    assert len(alternative_texts(tab)) >= least
    assert metrics(tab)["Misclassified"].endswith(" of 1,000")
    assert any(
        "of the 4,000 training images (Bundled sample of MNIST)" in text.value
        for text in tab.caption
    )


def test_with_all_of_mnist_evaluate_opens_with_a_network_tested_on_it(open_page, store, full_data):
    run = run_on(store, full_data, {(4, 9): 3})
    assert open_page("evaluate").query_params["run"] == run.id


@pytest.mark.parametrize("wanted", ["nope", "", "../cnn", "<b>"])
def test_a_run_that_is_not_there_is_said_and_another_shown(open_page, wanted):
    tab = open_page("evaluate", run=wanted)
    assert_shown(tab, "evaluate")
    assert metrics(tab)["Test accuracy"].endswith("%")
    assert tab.query_params["run"] != wanted
    if wanted:
        assert_one_sentence(sentences(tab, "warning"), "names a run that has no network here")


def test_a_run_that_is_still_training_is_said_to_have_no_network(open_page, store):
    run = running_run(store)
    tab = open_page("evaluate", run=run.id)
    assert_shown(tab, "evaluate")
    assert_one_sentence(sentences(tab, "warning"), "names a run that has no network here")


NONSENSE = [
    {"true": "77"},
    {"predicted": "x"},
    {"true": "-1", "predicted": "1e400"},
    {"true": "", "predicted": "4.5"},
]


@pytest.mark.parametrize("address", NONSENSE)
def test_a_cell_that_is_not_there_shows_the_commonest_mistake(open_page, run, address):
    tab = open_page("evaluate", run=run.id, **address)
    assert_shown(tab, "evaluate")
    assert cell(tab) == "True 4, predicted 9: 3 images"


@pytest.mark.parametrize("address", NONSENSE)
def test_a_cell_that_is_not_there_is_said_in_one_sentence(open_page, run, address):
    tab = open_page("evaluate", run=run.id, **address)
    assert len(sentences(tab, "error", "warning")) == 1


WRONG = {
    "view": "Nope",
    "numbers": "Percent",
    "order": "Luck",
    "which": "Nope",
    "image": "test-100",
    "true": "10",
    "predicted": "x",
}


@pytest.mark.parametrize("name", WRONG)
def test_an_address_out_of_range_is_said_and_shows_what_the_page_shows_without_it(
    open_page, run, name
):
    tab = open_page("evaluate", run=run.id, **{name: WRONG[name]})
    assert_shown(tab, "evaluate")
    assert_one_sentence(sentences(tab), f"invalid values ({name})")
    assert name not in tab.query_params
    assert alternative_texts(tab) == alternative_texts(open_page("evaluate", run=run.id))


def test_all_that_is_wrong_in_an_address_is_said_in_one_sentence(open_page, run):
    tab = open_page("evaluate", run=run.id, **WRONG)
    assert_shown(tab, "evaluate")
    assert_one_sentence(sentences(tab), "invalid values")
    assert all(name in sentences(tab)[0] for name in WRONG)


def test_a_wrong_order_is_the_usual_one(open_page, run):
    tab = open_page("evaluate", run=run.id, view="Digit by digit", order="Luck")
    assert_one_sentence(sentences(tab), "invalid values (order)")
    assert tab.selectbox(key="order").value == "Digit"


@pytest.mark.parametrize("mistakes", ["maybe", "2", ""])
def test_what_is_neither_yes_nor_no_shows_all_of_the_matrix(open_page, run, mistakes):
    tab = open_page("evaluate", run=run.id, mistakes=mistakes)
    assert_shown(tab, "evaluate")
    assert tab.toggle(key="mistakes").value is False


# --- predictions that cannot be used ---


def run_with(store, dataset, **artifacts: bytes):
    """A finished run on this data with these artifacts and no others."""
    run = running_run(store)
    return store.complete(
        run.id,
        "worker",
        FINISHED,
        results={
            "test_accuracy": 0.9,
            "test_fingerprint": dataset.test_fingerprint,
            "dataset": dataset.description,
        },
        artifacts={KERAS: b"a network", **artifacts},
    )


def archive(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_a_run_without_predictions_is_a_sentence(open_page, store, full_data):
    run = run_with(store, full_data)
    tab = open_page("evaluate", run=run.id)
    assert_shown(tab, "evaluate")
    assert_one_sentence(sentences(tab), "has no predictions of the test images")
    assert metrics(tab) == {}
    network(tab).select("classic").run()
    assert_shown(tab, "evaluate")
    assert "Test accuracy" in metrics(tab)


@pytest.mark.parametrize(
    "predictions",
    [
        b"",
        b"not an archive",
        (CLASSIC_FOLDER / "predictions.npz").read_bytes()[:5000],
        archive(probabilities=np.ones((100, 10))),
        archive(probabilities=np.ones((100, 10)), labels=np.zeros(99, np.uint8)),
        archive(probabilities=np.ones((100, 9)), labels=np.zeros(100, np.uint8)),
        archive(probabilities=np.ones(100), labels=np.zeros(100, np.uint8)),
        archive(probabilities=np.ones((0, 10)), labels=np.zeros(0, np.uint8)),
        archive(probabilities=np.array([None]), labels=np.array([None])),
    ],
)
@pytest.mark.parametrize("view", ["Confusion", "Confidence"])
def test_predictions_that_cannot_be_read_are_a_sentence(
    open_page, store, full_data, predictions, view
):
    run = run_with(store, full_data, predictions=predictions)
    tab = open_page("evaluate", run=run.id, view=view)
    assert_shown(tab, "evaluate")
    assert_one_sentence(sentences(tab), "has predictions that cannot be read")
    assert metrics(tab) == {}


def test_a_run_that_was_tested_on_the_sample_has_its_numbers_on_other_data(
    open_page, store, sample, tmp_path, monkeypatch, tiny_dataset
):
    run = run_on(store, sample, {(4, 9): 3})
    assert alternative_texts(open_page("evaluate", run=run.id))
    monkeypatch.setenv("MNIST_DATA", str(write_archive(tmp_path / "mnist.npz", tiny_dataset)))
    for view in VIEWS:
        tab = open_page("evaluate", run=run.id, view=view)
        assert_shown(tab, "evaluate")
        assert metrics(tab)["Misclassified"] == "3 of 1,000"
        assert alternative_texts(tab) == []


def test_a_run_that_went_on_shows_its_new_network(open_page, store, full_data):
    before, after = (run_on(store, full_data, {(4, 9): count}) for count in (3, 1))
    run = running_run(store, "another")
    for source, wrong in ((before, "3 of 100"), (after, "1 of 100")):
        store.complete(
            run.id,
            "worker",
            STOPPED,
            results={"test_accuracy": source.test_accuracy, "dataset": full_data.description},
            artifacts={PREDICTIONS: store.artifact(source.id, PREDICTIONS)},
        )
        assert metrics(open_page("evaluate", run=run.id))["Misclassified"] == wrong
        store.resume(run.id, run.owner)
        store.claim_run("worker")


# --- the views ---


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_shown_to_its_end(open_page, run, view):
    tab = open_page("evaluate", run=run.id, view=view, beside="classic")
    assert_shown(tab, "evaluate")
    assert sentences(tab, "error", "warning") == []
    assert metrics(tab)["Misclassified"] == "6 of 100"


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_a_shipped_network_is_shown_with_the_sample_at_hand(open_page, view):
    tab = open_page("evaluate", run="cnn", view=view, beside="classic")
    assert_shown(tab, "evaluate")
    assert sentences(tab, "error", "warning") == []


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_can_show_a_network_without_mistakes(open_page, store, full_data, view):
    run, other = run_on(store, full_data, {}), run_on(store, full_data, {})
    tab = open_page("evaluate", run=run.id, view=view, beside=other.id)
    assert_shown(tab, "evaluate")
    assert sentences(tab, "error", "warning") == []


def test_no_view_chosen_shows_the_matrix(open_page, run):
    tab = open_page("evaluate", run=run.id, view="Confidence")
    tab.segmented_control(key="view").set_value(None).run()
    assert_shown(tab, "evaluate")
    assert cell(tab) == "True 4, predicted 9: 3 images"


def test_what_the_numbers_are_worth_is_said_in_images(open_page, run):
    text = " ".join(captions(open_page("evaluate", run=run.id)))
    # Wilson's 2.8 to 12.5% is narrower: it bounds the rate and not the next hundred.
    assert "Of 100 other such images the network would misclassify 1 to 14 (95%" in text


# --- one image, large ---


@pytest.mark.parametrize(
    ("view", "key"), [("Confusion", "cell"), ("Most confident mistakes", "sure")]
)
def test_an_image_that_is_chosen_opens_large(open_page, run, view, key):
    tab = open_page("evaluate", run=run.id, view=view)
    place, label = re.match(r"Test image (\d+): a (\d)", alternative_texts(tab)[1]).groups()
    send(tab, key, chosen=1)
    assert_shown(tab, "evaluate")
    assert sentences(tab) == []
    assert dialog_title(tab) == f"Test image {place}: labelled {label}"
    assert tab.query_params["image"] == f"test-{place}"
    assert tab.multiselect(key="asked").value == [run.id], "the network of the page is asked"
    dismiss(tab)
    assert_shown(tab, "evaluate")
    assert dialog_title(tab) is None
    assert "image" not in tab.query_params


def test_an_address_opens_an_image_over_its_view(open_page, run, full_data):
    tab = open_page("evaluate", run=run.id, view="Confidence", image="test-42")
    assert_shown(tab, "evaluate")
    assert sentences(tab) == []
    assert dialog_title(tab) == f"Test image 42: labelled {full_data.y_test[42]}"


def test_nonsense_from_a_browser_opens_no_image(open_page, run):
    tab = open_page("evaluate", run=run.id)
    for value in (-1, 3, True, "1", [1], None, 1.0, 10**400):
        send(tab, "cell", chosen=value)
        assert_shown(tab, "evaluate")
        assert sentences(tab) == [], value
        assert dialog_title(tab) is None, value


# --- the surest and the least sure ---


@pytest.fixture
def unequal(store, full_data):
    """A run that is 40% sure of its first five images, which are right, 60% of the next
    five, which are wrong, and 90% of all others, which are right."""
    labels = full_data.y_test
    sure = np.array([0.4] * 5 + [0.6] * 5 + [0.9] * 90)
    read = np.where(np.isin(np.arange(100), range(5, 10)), (labels + 1) % 10, labels)
    probabilities = np.repeat((1 - sure[:, None]) / 9, 10, axis=1)
    probabilities[np.arange(100), read] = sure
    network = (CLASSIC_FOLDER / "model.tflite").read_bytes()
    predictions = Predictions(labels, probabilities).to_bytes()
    return run_with(store, full_data, **{LITERT: network, PREDICTIONS: predictions})


def places(tab) -> set[int]:
    """Which test images are shown."""
    return {int(re.match(r"Test image (\d+):", text)[1]) for text in alternative_texts(tab)}


def test_the_surest_mistakes_are_shown_first(open_page, unequal):
    tab = open_page("evaluate", run=unequal.id, view="Most confident mistakes")
    assert headings(tab) == ["Wrong, most confident first: 5 images"]
    assert places(tab) == {5, 6, 7, 8, 9}
    assert all(re.search(r"read as \d with probability 60%$", t) for t in alternative_texts(tab))
    written = components(tab, "gallery")["sure"]["captions"]
    assert all(re.fullmatch(r"\d → \d\n60%", caption) for caption in written)


def test_the_least_sure_of_the_right_ones_are_shown_first(open_page, unequal):
    tab = open_page("evaluate", run=unequal.id, view="Most confident mistakes")
    tab.segmented_control(key="which").set_value("Right, least confident first").run()
    assert headings(tab) == ["Right, least confident first: 95 images"]
    assert len(places(tab)) == 60
    assert all("probability 40%" in text for text in alternative_texts(tab)[:5])
    assert "The first 60 of 95." in captions(tab)
    assert tab.segmented_control(key="which").proto.query_param_key == "which"
    address = {"which": "Right, least confident first", "view": "Most confident mistakes"}
    assert headings(open_page("evaluate", run=unequal.id, **address)) == headings(tab)


def test_images_can_be_chosen_by_how_sure_the_network_was(open_page, unequal):
    tab = open_page(
        "evaluate",
        run=unequal.id,
        view="Most confident mistakes",
        which="Right, least confident first",
    )
    tab.slider(key="between").set_value((30, 50)).run()
    assert headings(tab) == ["Right, least confident first: 5 images"]
    assert places(tab) == {0, 1, 2, 3, 4}
    tab.segmented_control(key="which").set_value("Wrong, most confident first").run()
    assert headings(tab) == ["Wrong, most confident first: 0 images"]
    assert any(text.value == "No images in this range." for text in tab.markdown)
    assert alternative_texts(tab) == []
    assert_shown(tab, "evaluate")
    tab.slider(key="between").set_value((50, 61)).run()
    assert headings(tab) == ["Wrong, most confident first: 5 images"]


# --- what its confidence is worth ---


def refusals(tab) -> str:
    (said,) = [
        t.value for t in tab.markdown if "of its answers" in t.value or "answers nothing" in t.value
    ]
    return said


def test_a_threshold_says_how_many_are_answered_and_how_many_of_those_are_right(open_page, unequal):
    tab = open_page("evaluate", run=unequal.id, view="Confidence")
    assert_shown(tab, "evaluate")
    assert len(tab.get("plotly_chart")) == 2
    threshold = tab.slider(key="threshold")
    assert threshold.value == 90.0
    for percent, said in (
        (
            10.0,
            "It answers 100.00% of the images and abstains on 0; 95.00% of its answers are right, "
            "5 wrong.",
        ),
        (
            50.0,
            "It answers 95.00% of the images and abstains on 5; 94.74% of its answers are right, "
            "5 wrong.",
        ),
        (
            85.0,
            "It answers 90.00% of the images and abstains on 10; 100.00% of its answers are right, "
            "0 wrong.",
        ),
    ):
        tab.slider(key="threshold").set_value(percent).run()
        assert refusals(tab) == f"**{said}**"


def test_a_threshold_that_no_answer_reaches_is_said(open_page, unequal):
    tab = open_page("evaluate", run=unequal.id, view="Confidence")
    tab.slider(key="threshold").set_value(100.0).run()
    assert_shown(tab, "evaluate")
    assert refusals(tab) == "**The network is never this confident, so it answers nothing.**"


def test_the_calibration_error_is_said(open_page, unequal):
    # 5 at 40% and 90 at 90% that are right, 5 at 60% that are wrong.
    error = 0.05 * 0.6 + 0.90 * 0.1 + 0.05 * 0.6
    tab = open_page("evaluate", run=unequal.id, view="Confidence")
    assert any(text.startswith(f"Expected calibration error {error:.2%}") for text in captions(tab))


# --- two networks ---


def other_network(tab):
    (box,) = [box for box in tab.selectbox if box.label == "Compare with"]
    return box


def test_two_networks_are_compared_image_by_image(open_page, store, full_data, run):
    other = run_on(store, full_data, {(4, 9): 1, (1, 7): 2})
    tab = open_page("evaluate", run=run.id, view="Compare two")
    assert any("Choose a second network" in text.value for text in tab.markdown)
    other_network(tab).select(other.id).run()
    assert_shown(tab, "evaluate")
    assert tab.query_params["beside"] == other.id
    assert_one_sentence(
        sentences(tab), "The first alone classifies 2 images correctly, the second alone 5"
    )
    assert headings(tab) == [
        "True 4, predicted 9",
        "Only the first is right: 2 images",
        "Only the second is right: 5 images",
        "Both are wrong: 1 image",
    ]
    assert any(
        text.value == "The first has 3 images there, the second 1 image." for text in tab.markdown
    )
    assert len(alternative_texts(tab)) == 8


def test_an_image_of_two_compared_networks_opens_large(open_page, store, full_data, run):
    other = run_on(store, full_data, {(1, 7): 2})
    tab = open_page("evaluate", run=run.id, view="Compare two", beside=other.id)
    send(tab, "only_first", chosen=0)
    assert_shown(tab, "evaluate")
    assert sentences(tab, "error", "warning") == []
    assert dialog_title(tab).endswith("labelled 1")


def test_a_click_on_the_difference_chooses_the_cell(open_page, store, full_data, run):
    other = run_on(store, full_data, {(1, 7): 2})
    tab = open_page("evaluate", run=run.id, view="Compare two", beside=other.id)
    click_cell(tab, "difference", 1, 7)
    assert "True 1, predicted 7" in headings(tab)
    assert any(
        text.value == "The first has 0 images there, the second 2 images." for text in tab.markdown
    )


def test_two_networks_that_read_the_same_images_are_said_to(open_page, store, full_data, run):
    other = run_on(store, full_data, {(4, 9): 3, (7, 1): 2, (8, 3): 1})
    tab = open_page("evaluate", run=run.id, view="Compare two", beside=other.id)
    assert_shown(tab, "evaluate")
    assert_one_sentence(sentences(tab), "Both classify exactly the same images correctly")
    assert {"Only the first is right: 0 images", "Both are wrong: 6 images"} <= set(headings(tab))


def test_networks_that_were_tested_on_different_images_are_not_compared(open_page, run):
    tab = open_page("evaluate", run=run.id, view="Compare two", beside="classic")
    assert_shown(tab, "evaluate")
    assert_one_sentence(sentences(tab), "The two were tested on different images")
    assert alternative_texts(tab) == []


def test_shipped_networks_are_compared_without_pictures_where_the_sample_is_at_hand(open_page):
    tab = open_page("evaluate", run="cnn", view="Compare two", beside="classic")
    assert_shown(tab, "evaluate")
    assert any("so the first is very probably better" in t for t in sentences(tab, "info"))
    assert any(NO_PICTURES in text for text in sentences(tab, "info"))


def test_a_second_network_whose_predictions_cannot_be_read_is_a_sentence(
    open_page, store, full_data, run
):
    for artifacts, part in (
        ({}, "has no predictions of the test images"),
        ({"predictions": b"of an older version"}, "has predictions that cannot be read"),
    ):
        other = run_with(store, full_data, **artifacts)
        tab = open_page("evaluate", run=run.id, view="Compare two", beside=other.id)
        assert_shown(tab, "evaluate")
        assert_one_sentence(sentences(tab), part)
        assert metrics(tab)["Misclassified"] == "6 of 100"


def test_a_second_network_that_is_not_there_is_none(open_page, run):
    tab = open_page("evaluate", run=run.id, view="Compare two", beside="nope")
    assert_shown(tab, "evaluate")
    assert "beside" not in tab.query_params
    assert run.id not in other_network(tab).options


# --- to take home ---


@pytest.fixture
def offered(monkeypatch) -> dict:
    """What was offered for download: label -> (file name, the function that makes it)."""
    found = {}

    def download_button(label, make, file, **options):
        found[label] = (file, make)

    monkeypatch.setattr(st, "download_button", download_button)
    return found


def test_an_evaluation_can_be_taken_home_in_four_ways(open_page, run):
    tab = open_page("evaluate", run=run.id)
    assert [found.label for found in tab.get("download_button")] == [
        "Report (HTML)",
        "Predictions (CSV)",
        "Matrix (CSV)",
        "Matrix (picture)",
    ]


def test_what_is_taken_home_holds_what_the_page_shows(open_page, run, offered):
    open_page("evaluate", run=run.id)
    made = {label: make() for label, (_, make) in offered.items()}
    assert [file for file, _ in offered.values()] == [
        f"mnist-{run.id}.html",
        f"mnist-{run.id}-predictions.csv",
        f"mnist-{run.id}-matrix.csv",
        f"mnist-{run.id}-matrix.png",
    ]
    assert "94.00" in made["Report (HTML)"]
    assert made["Report (HTML)"].count("<figure") == 6, "the mistakes are pictured"
    assert len(made["Predictions (CSV)"].splitlines()) == 101
    assert made["Matrix (CSV)"].splitlines()[5] == "4,0,0,0,0,7,0,0,0,0,3"
    assert Image.open(io.BytesIO(made["Matrix (picture)"])).format == "PNG"


def test_a_report_on_other_images_than_those_at_hand_has_no_pictures(open_page, offered):
    open_page("evaluate", run="classic")
    _, make = offered["Report (HTML)"]
    assert "98.23" in make()
    assert "<figure" not in make()


def test_a_network_that_cannot_be_evaluated_offers_nothing(open_page, store, full_data, offered):
    open_page("evaluate", run=run_with(store, full_data).id)
    assert offered == {}


def test_below_an_image_stands_what_each_of_the_two_networks_reads(
    open_page, store, full_data, run
):
    other = run_on(store, full_data, {(1, 7): 2})
    tab = open_page("evaluate", run=run.id, view="Compare two", beside=other.id)
    wrong_of_the_first = {4: 9, 7: 1, 8: 3}
    for key in ("only_first", "only_second"):
        shown = components(tab, "gallery")[key]
        label = int(shown["captions"][0].split("\n")[0])
        first, second = (1, 7) if key == "only_first" else (wrong_of_the_first[label], label)
        assert shown["captions"][0] == f"{label}\n{first} · 91%\n{second} · 91%"
        assert (
            f"read as {first} with probability 91% by the first, as {second}" in shown["texts"][0]
        )
    assert any(
        "a line each for what the first and the second network read" in text
        for text in captions(tab)
    )


def test_what_it_was_trained_on_is_told_in_images(open_page, store, full_data):
    config = TrainConfig(training_images=100, drawn_digits=3000)
    run = run_on(store, full_data, {}, config=config)
    text = " ".join(captions(open_page("evaluate", run=run.id)))
    assert "Trained on about 100 of the 400 training images (Bundled sample of MNIST)" in text
    # 100 of the 360 that are not set aside, and as large a share of the drawings.
    assert "and 916 drawings of this project's own" in text
    assert "tested once on 100 test images that it was not trained on" in text


def test_a_network_that_learned_nothing_is_said_to_guess(open_page, store, full_data):
    run = run_on(store, full_data, {(digit, 0): 10 for digit in range(1, 10)})
    tab = open_page("evaluate", run=run.id)
    assert metrics(tab)["Test accuracy"] == "10.00%"
    assert_one_sentence(
        sentences(tab),
        "it classifies 10.0% of the test images correctly, and guessing gets 10% right. ",
    )
