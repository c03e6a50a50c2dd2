import dataclasses

import pytest

from mnist_core.config import PRESETS
from mnist_core.store.ranking import ORDERS, best, ordered
from mnist_core.store.run import FINISHED, Run

RUN = Run("a", FINISHED, PRESETS["classic"], 1.0, test_fingerprint="mnist")
VALUES = {
    "Validation accuracy": {"validation_accuracy": 0.9},
    "Newest": {"created_at": 5.0},
    "Fastest": {"train_seconds": -1.0},
    "Fewest parameters": {"parameters": -1},
    "Fewest epochs": {"epochs": -1},
    "Settings": {"config": dataclasses.replace(PRESETS["classic"], preset="a", epochs=1)},
    "Name": {"name": "A first"},
}


@pytest.mark.parametrize("order", ORDERS)
def test_runs_come_in_the_order_asked_for_and_in_its_reverse(order):
    first = dataclasses.replace(RUN, id="first", **VALUES[order])
    assert ordered([RUN, first], order) == [first, RUN]
    assert ordered([RUN, first], order, reverse=True) == [RUN, first]


def test_equal_runs_keep_their_order():
    others = [dataclasses.replace(RUN, id=name) for name in "bca"]
    assert ordered(others) == others


def test_the_best_is_chosen_on_validation_images_among_runs_tested_alike():
    worse = dataclasses.replace(RUN, test_accuracy=0.999, validation_accuracy=0.97)
    better = dataclasses.replace(RUN, test_accuracy=0.98, validation_accuracy=0.98)
    elsewhere = dataclasses.replace(RUN, test_fingerprint="sample", validation_accuracy=1.0)
    assert best([worse, better, elsewhere]) == better


def test_of_no_runs_none_is_best():
    assert best([]) is None
