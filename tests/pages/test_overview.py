import dataclasses
from urllib.parse import parse_qsl, urlsplit

import pytest

from mnist_core.progress import Progress
from mnist_core.shipped import shipped_runs
from tests.helpers import finished_run, reports, running_run
from tests.pages.helpers import (
    alternative_texts,
    assert_shown,
    headings,
    metrics,
    run_on,
    sentences,
)

SAMPLE = "Using the 5,000 digits that came with the app, of MNIST's 70,000."


def links(tab) -> dict[str, str]:
    """Where the links on the page lead, by their words."""
    return {link.label: link.proto.page + "?" + link.proto.query_string for link in tab.page_link}


def validated(accuracy: float) -> list[Progress]:
    """Reports of a run that ends with this accuracy on the validation images."""
    *before, last = reports(20)
    return [*before, dataclasses.replace(last, validation_accuracy=accuracy)]


def test_it_shows_the_four_steps_and_one_of_each_digit(open_page):
    tab = open_page("overview")
    assert headings(tab) == ["1 · Explore", "2 · Train", "3 · Evaluate", "4 · Draw"]
    assert alternative_texts(tab) == [f"A handwritten {digit}" for digit in range(10)]
    assert list(links(tab)) == [
        "See 100 digits",
        "Train a network",
        "Compare all runs",
        "The class, live",
        "See these digits",
        "Draw a digit",
        "Presenter mode, for a projector",
    ]
    assert "count=100" in links(tab)["See 100 digits"]


def test_it_counts_the_digits_at_hand(open_page, full_data):
    assert metrics(open_page("overview"))["Digits here"] == "500"


def test_with_an_empty_database_a_shipped_network_is_the_best(open_page):
    shown = metrics(open_page("overview"))
    (best,) = [value for label, value in shown.items() if label.startswith("Best network")]
    assert 97 < float(best.removesuffix("%")) < 100


def test_the_best_network_trained_here_is_named_with_its_commonest_mistake(
    open_page, store, full_data, monkeypatch
):
    monkeypatch.setattr("mnist_core.shipped.shipped_runs", dict)
    run_on(store, full_data, {(1, 7): 1})
    best = run_on(store, full_data, {})
    tab = open_page("overview")
    assert metrics(tab)["Best network: classic"] == "100.00%"
    assert metrics(tab)["Most common mistake"] == "none"
    assert f"run={best.id}" not in links(tab)["See these digits"]


def test_a_run_tested_on_other_images_is_no_rival_of_the_shipped(open_page, store, full_data):
    run_on(store, full_data, {})
    cnn = shipped_runs()["cnn"]
    assert metrics(open_page("overview"))["Best network: cnn"] == f"{cnn.test_accuracy:.2%}"


def test_the_commonest_mistake_leads_to_its_images(open_page, store, full_data, monkeypatch):
    monkeypatch.setattr("mnist_core.shipped.shipped_runs", dict)
    run = run_on(store, full_data, {(4, 9): 3, (1, 7): 2})
    tab = open_page("overview")
    assert metrics(tab)["Most common mistake (3 times)"] == "4 read as 9"
    address = links(tab)["See these digits"]
    assert f"run={run.id}" in address
    assert "true=4" in address
    assert "predicted=9" in address


def test_with_the_sample_at_hand_the_commonest_mistake_is_one_whose_images_are_here(open_page):
    tab = open_page("overview")
    (count,) = [
        int(label.split("(")[1].split()[0])
        for label in metrics(tab)
        if label.startswith("Most common mistake")
    ]
    assert "by the network sample · built-in" in [caption.value for caption in tab.caption]
    query = dict(parse_qsl(urlsplit(links(tab)["See these digits"]).query))
    assert query["run"] == "sample"
    tab = open_page("evaluate", **query)
    assert len(alternative_texts(tab)) == count
    assert sentences(tab) == [SAMPLE]


def test_without_any_network_it_says_so(open_page, monkeypatch):
    monkeypatch.setattr("mnist_core.shipped.shipped_runs", dict)
    tab = open_page("overview")
    assert_shown(tab, "overview")
    assert metrics(tab)["Best network"] == "none yet"


@pytest.mark.parametrize("state", ["running", "interrupted", "failed"])
def test_a_run_without_a_result_does_not_count(open_page, store, state):
    before = metrics(open_page("overview"))
    if state == "running":
        running_run(store)
    else:
        run = running_run(store)
        store.complete(run.id, "worker", state, message="It ended.")
    assert metrics(open_page("overview")) == before


def test_a_finished_run_counts(open_page, store):
    finished_run(store, test_accuracy=0.9999, reported=validated(0.999))
    assert metrics(open_page("overview"))["Best network: classic"] == "99.99%"


def test_the_best_network_is_the_one_that_validation_chose_not_the_luckiest_in_the_test(
    open_page, store
):
    finished_run(store, test_accuracy=0.9999, reported=validated(0.97))
    finished_run(store, test_accuracy=0.991, reported=validated(0.998))
    tab = open_page("overview")
    assert metrics(tab)["Best network: classic"] == "99.10%"
    assert any("Best by validation accuracy (99.80%)." in text.value for text in tab.caption)
