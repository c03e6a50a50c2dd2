import pytest

from mnist_core.runs import KERAS, PREDICTIONS, STOPPED
from mnist_core.shipped import shipped_runs
from tests.helpers import finished_run, running_run
from tests.pages.helpers import (
    alternative_texts,
    assert_one_sentence,
    assert_shown,
    headings,
    metrics,
    run_on,
    sentences,
    table_rows,
)

CLASSIC = shipped_runs()["classic"]


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
        "Read wrongly": "6 of 100",
        "95 % interval": "87.52% – 97.22%",
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
    assert any("No test image ends up here." in text.value for text in tab.markdown)
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
    assert any(text.value == "The 60 that the network is surest of." for text in tab.caption)


def test_the_table_has_a_row_for_each_digit(open_page, run):
    header, *rows = table_rows(open_page("evaluate", run=run.id))
    assert header == ["Digit", "Precision", "Recall", "F1", "Images", "Most often taken for"]
    assert [row[0] for row in rows] == [str(digit) for digit in range(10)]
    assert rows[4] == ["4", "100.00%", "70.00%", "82.35%", "10", "9 (3×)"]
    assert rows[9] == ["9", "76.92%", "100.00%", "86.96%", "10", "–"]


def test_the_heatmap_is_there_in_all_its_forms(open_page, run):
    tab = open_page("evaluate", run=run.id)
    tab.toggle(key="mistakes").set_value(True).run()
    assert_shown(tab, "evaluate")
    tab.segmented_control(key="numbers").set_value("Share of the true digit").run()
    assert_shown(tab, "evaluate")
    assert len(tab.get("plotly_chart")) == 1


def test_a_network_without_mistakes_can_be_shown(open_page, store, full_data):
    run = run_on(store, full_data, {})
    tab = open_page("evaluate", run=run.id)
    assert_shown(tab, "evaluate")
    assert metrics(tab)["Read wrongly"] == "0 of 100"
    tab.toggle(key="mistakes").set_value(True).run()
    assert_shown(tab, "evaluate")


def test_another_network_can_be_chosen_and_is_in_the_address(open_page, store, full_data, run):
    other = run_on(store, full_data, {(1, 7): 5})
    tab = open_page("evaluate", run=run.id)
    network(tab).select(other.id).run()
    assert tab.query_params["run"] == other.id
    assert metrics(tab)["Read wrongly"] == "5 of 100"
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
        metrics(tab)["Read wrongly"]
        == f"{10_000 - round(10_000 * CLASSIC.test_accuracy)} of 10,000"
    )
    assert len(table_rows(tab)) == 11
    assert_one_sentence(sentences(tab), "so the pictures cannot be shown. The numbers hold.")
    assert alternative_texts(tab) == []


def test_with_the_sample_at_hand_a_shipped_run_shows_its_numbers(open_page):
    tab = open_page("evaluate", run="classic")
    assert (
        metrics(tab)["Read wrongly"]
        == f"{10_000 - round(10_000 * CLASSIC.test_accuracy)} of 10,000"
    )
    assert any("the pictures cannot be shown" in text for text in sentences(tab, "info"))


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


def test_predictions_that_are_gone_are_a_sentence(open_page, store, full_data):
    run = running_run(store)
    store.complete(
        run.id,
        "worker",
        "finished",
        results={"test_accuracy": 0.9, "test_fingerprint": full_data.test_fingerprint},
        artifacts={KERAS: b"a network"},
    )
    tab = open_page("evaluate", run=run.id)
    assert len(tab.exception) == 0
    assert_one_sentence(sentences(tab, "error"), f"Run {run.id} has no predictions stored")


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
        assert metrics(open_page("evaluate", run=run.id))["Read wrongly"] == wrong
        store.resume(run.id, run.owner)
        store.claim("worker")
