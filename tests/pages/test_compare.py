import dataclasses

import pytest

from mnist_core import schema
from mnist_core.config import PRESETS
from mnist_core.runs import owner_of
from tests.helpers import finished_run, running_run
from tests.pages.helpers import (
    all_text,
    assert_one_sentence,
    assert_shown,
    button,
    buttons,
    faults,
    hold,
    live_charts,
    sentences,
)

ME = "token-of-this-visitor-0123456789abcdef"
SAMPLE = "This is the bundled sample"
CONFIG = dataclasses.replace(PRESETS["classic"], epochs=3, dense=(20,))


def rows(tab) -> list[str]:
    """The first cell of each row of the table."""
    return [
        part.split("<td class=text>")[1].split("<")[0] for part in all_text(tab).split("<tr>")[2:]
    ]


def drawn(tab) -> list[str]:
    """What the legend of the first chart names."""
    chart = next(iter(live_charts(tab).values()))
    return [trace["name"] for trace in chart["data"] if "name" in trace]


@pytest.fixture
def mine(store):
    return finished_run(store, ME, CONFIG, test_accuracy=0.9, train_seconds=1.0)


@pytest.fixture
def others(store):
    run = finished_run(store, "somebody", PRESETS["quick"], test_accuracy=0.991)
    store.rename(run.id, owner_of("somebody"), "Theirs (2)")
    return run


def test_without_other_runs_the_shipped_ones_are_compared(open_page):
    tab = open_page("compare", ME)
    assert_shown(tab, "compare")
    assert rows(tab) == ["cnn · shipped", "classic · shipped"]
    assert_one_sentence(sentences(tab), "These networks came with the app.")
    assert [name.split(" ")[0] for name in drawn(tab)] == ["cnn", "classic"]
    tab.button(key="next_step").click().run()
    assert_shown(tab, "train")


def test_all_runs_stand_in_a_table_with_what_matters(open_page, mine, others, store):
    running_run(store, "third")
    tab = open_page("compare", ME)
    assert rows(tab) == [
        "cnn · shipped",
        f"Theirs (2) · {others.id}",
        "classic · shipped",
        f"classic · {mine.id} (yours)",
    ]
    text = all_text(tab)
    for cell in ("90.00%", "89.40 to 90.57 %", "classic · epochs 3 · dense 20", "109,386", "1.0 s"):
        assert cell in text


@pytest.mark.parametrize(
    ("order", "first"),
    [("Newest", "Theirs"), ("Fastest", "classic"), ("Name", "classic"), ("Test accuracy", "cnn")],
)
def test_the_table_is_sorted_as_wished(open_page, mine, others, order, first):
    tab = open_page("compare", ME, order=order)
    assert rows(tab)[0].startswith(first)


def test_any_runs_are_drawn_together_and_kept_in_the_address(open_page, mine, others):
    tab = open_page("compare", ME, runs=f"{mine.id},classic")
    assert drawn(tab) == [mine.title, "classic · 98.23% · shipped"]
    assert len(live_charts(tab)) == 2
    tab.multiselect(key="overlaid").set_value([others.id, "cnn"]).run()
    assert tab.query_params["runs"] == f"{others.id},cnn"
    assert len(drawn(tab)) == 2
    tab.segmented_control(key="over").set_value("seconds").run()
    assert "Seconds of training" in str(live_charts(tab))
    tab.multiselect(key="overlaid").set_value([]).run()
    assert any("Choose one or more runs" in text for text in sentences(tab))
    assert faults(tab) == []


@pytest.mark.parametrize("runs", ["nope", "classic,<script>", ",".join(["classic"] * 9)])
def test_runs_of_an_address_that_are_not_here_are_said(open_page, runs):
    tab = open_page("compare", ME, runs=runs)
    assert_shown(tab, "compare")
    warnings = sentences(tab, "warning")
    assert_one_sentence(warnings, "The address names runs that are not here, or too many")
    assert len(live_charts(tab)) == 2


def test_its_owner_renames_keeps_and_deletes_a_run(open_page, mine, store):
    tab = open_page("compare", ME, run=mine.id)
    tab.text_input(key=f"name-{mine.id}").set_value("My first").run()
    button(tab, "Rename").click().run()
    assert store.get(mine.id).name == "My first"
    assert f"My first · {mine.id} (yours)" in rows(tab)
    button(tab, "Keep").click().run()
    assert store.get(mine.id).pinned
    button(tab, "No longer keep").click().run()
    assert not store.get(mine.id).pinned
    button(tab, "Delete this run for good").click().run()
    assert store.list_runs() == []
    assert_shown(tab, "compare")
    assert rows(tab) == ["cnn · shipped", "classic · shipped"]


def test_a_name_that_is_none_is_refused_with_a_sentence(open_page, mine, store):
    tab = open_page("compare", ME, run=mine.id)
    tab.text_input(key=f"name-{mine.id}").set_value("<b>bold</b>").run()
    button(tab, "Rename").click().run()
    assert_one_sentence(sentences(tab, "error"), "A name has at most 40 letters")
    assert store.get(mine.id).name == ""


def test_of_others_runs_one_may_only_look_and_download(open_page, mine, others):
    for run_id in (others.id, "cnn"):
        tab = open_page("compare", ME, run=run_id)
        assert not {"Rename", "Keep", "Delete this run for good"} & set(buttons(tab))
        labels = [found.label for found in tab.get("download_button")]
        assert labels == [
            "Keras model (.keras)",
            "LiteRT model (.tflite)",
            "Curves (.csv)",
            "Keras script (.py)",
        ]
    assert owner_of("somebody") not in all_text(tab)


def test_a_locked_database_is_a_sentence(open_page, mine, store, monkeypatch, tmp_path):
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.05)
    tab = open_page("compare", ME, run=mine.id)
    other = hold(tmp_path / "runs.db")
    button(tab, "Keep").click().run()
    other.close()
    assert_one_sentence(sentences(tab, "error"), "in use by another program; try again")
    assert not store.get(mine.id).pinned
