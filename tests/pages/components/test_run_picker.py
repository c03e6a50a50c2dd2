"""Where a run is chosen: what is listed, in what order, and how the runs of a sweep are found."""

import pytest

from mnist_core.store.names import title, titles
from mnist_core.store.run import owner_of
from tests.helpers import finished_run, trained_sweep
from tests.pages.helpers import faults

ME, SOMEBODY = "token-of-this-visitor-0123456789abcdef", "token-of-somebody"
ACCURACIES = (0.96, 0.94, 0.97)


@pytest.fixture
def mine(store):
    run = finished_run(store, ME, test_accuracy=0.9)
    store.rename(run.id, owner_of(ME), "Ada")
    return store.get(run.id)


@pytest.mark.parametrize(
    ("page", "box"), [("evaluate", "picked_run"), ("draw", "picked_run"), ("draw", "picked_beside")]
)
def test_ones_own_runs_come_first_and_are_marked_and_a_sweep_is_one_line(
    open_page, store, mine, page, box
):
    swept = trained_sweep(store, ACCURACIES, SOMEBODY)
    tab = open_page(page, ME)
    sweep = f"Sweep · {title(swept[0])}: 3 runs"
    options = tab.selectbox(key=box).options
    own = options.index(f"{title(mine)} · 90.00% (yours)")
    # Before it, at most the line for no run at all.
    assert options[:own] == ["No other network"] * (box == "picked_beside")
    assert "· built-in ·" in options[own + 1]
    assert options[-1] == sweep
    assert len(options) == own + (4 if box == "picked_beside" else 5)
    assert faults(tab) == []


def test_choosing_a_sweep_shows_its_runs_the_best_first(open_page, store):
    swept = trained_sweep(store, ACCURACIES, ME)
    tab = open_page("evaluate", ME)
    assert "Run of this sweep" not in {box.label for box in tab.selectbox}
    assert tab.query_params["run"] == "sample", "the one that has pictures here"
    box = tab.selectbox(key="picked_run")
    assert box.options[0] == f"Sweep · {title(swept[0])}: 3 runs (yours)"
    box.set_value(f"sweep:{swept[0].id}").run()
    (inner,) = [box for box in tab.selectbox if box.label == "Run of this sweep"]
    assert inner.value == tab.query_params["run"] == swept[2].id
    assert [text.split(" · ")[0] for text in inner.options] == [
        "learning rate 0.006, batch size 64",
        "learning rate 0.002, batch size 64",
        "learning rate 0.002, batch size 256",
    ]
    inner.set_value(swept[1].id).run()
    assert tab.query_params["run"] == swept[1].id
    again = open_page("evaluate", ME, run=swept[1].id)
    assert again.selectbox(key="picked_run").value == f"sweep:{swept[0].id}"
    assert again.query_params["run"] == swept[1].id
    again.selectbox(key="picked_run").set_value("classic").run()
    assert again.query_params["run"] == "classic"
    assert faults(tab) == faults(again) == []


def test_of_a_sweep_the_best_can_be_overlaid_and_if_wished_all(open_page, store, mine):
    swept = trained_sweep(store, ACCURACIES, SOMEBODY)
    tab = open_page("compare", ME)
    box = tab.multiselect(key="overlaid")
    assert box.options[0].startswith("Ada · ")
    assert len(box.options) == 5
    assert box.options[-1].endswith("best of 3 in a sweep")
    tab.toggle(key="overlaid_of_sweeps").set_value(True).run()
    box = tab.multiselect(key="overlaid")
    assert len(box.options) == 7
    box.set_value([swept[0].id, swept[1].id]).run()
    tab.toggle(key="overlaid_of_sweeps").set_value(False).run()
    # What is chosen stays listed.
    assert tab.query_params["runs"] == f"{swept[0].id},{swept[1].id}"
    assert len(tab.multiselect(key="overlaid").options) == 7
    assert "overlaid_of_sweeps" not in {toggle.key for toggle in open_page("draw").toggle}
    assert faults(tab) == []


def test_runs_of_the_same_minute_can_be_told_apart(open_page, store):
    runs = [finished_run(store, f"visitor {number}", test_accuracy=0.9) for number in range(3)]
    options = open_page("evaluate", ME).selectbox(key="picked_run").options
    assert len(set(options)) == len(options) == 6
    assert {text.removesuffix(" · 90.00%") for text in options[3:]} == set(titles(runs).values())
