import dataclasses
from types import SimpleNamespace

import pytest

from mnist_core.config import PRESETS
from mnist_core.progress import Progress
from mnist_core.store import engine
from mnist_core.store.names import title
from mnist_core.store.run import KERAS, owner_of
from tests.helpers import finished_run, reports, running_run
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
    table_rows,
)

# By test accuracy.
SHIPPED = ["cnn · built-in", "sample · built-in", "classic · built-in"]
ME = "token-of-this-visitor-0123456789abcdef"
CONFIG = dataclasses.replace(PRESETS["classic"], epochs=3, dense=(20,))


def rows(tab) -> list[str]:
    """The first cell of each row of the table."""
    return [row[0] for row in table_rows(tab)[1:]]


def drawn(tab) -> list[str]:
    """What the legend of the first chart names."""
    chart = next(iter(live_charts(tab).values()))
    names = [trace["name"] for trace in chart["data"] if "name" in trace]
    return [name.replace("<br>", " ") for name in names]


def validated(accuracy: float) -> list[Progress]:
    """Reports of a run that ends with this accuracy on the validation images."""
    *before, last = reports(20)
    return [*before, dataclasses.replace(last, validation_accuracy=accuracy)]


@pytest.fixture
def mine(store):
    return finished_run(store, ME, CONFIG, test_accuracy=0.9, train_seconds=1.0)


@pytest.fixture
def others(store):
    # Better than the shipped classic on the validation images, and worse on the test images.
    run = finished_run(
        store, "somebody", PRESETS["quick"], test_accuracy=0.981, reported=validated(0.99)
    )
    store.rename(run.id, owner_of("somebody"), "Theirs (2)")
    return store.get(run.id)


def test_without_other_runs_the_shipped_ones_are_compared(open_page):
    tab = open_page("compare", ME)
    assert_shown(tab, "compare")
    assert rows(tab) == SHIPPED
    assert_one_sentence(sentences(tab), "These are the built-in networks.")
    assert [name.split(" ")[0] for name in drawn(tab)] == ["cnn", "sample"]
    tab.button(key="next_step").click().run()
    assert_shown(tab, "train")


def test_all_runs_stand_in_a_table_with_what_matters(open_page, mine, others, store):
    running_run(store, "third")
    tab = open_page("compare", ME)
    assert rows(tab) == [
        "cnn · built-in",
        title(others),
        "sample · built-in",
        "classic · built-in",
        f"{title(mine)} (yours)",
    ]
    header, *_, last = table_rows(tab)
    assert header == [
        "Run",
        "Validation accuracy",
        "Test accuracy",
        "95% confidence interval",
        "Test images",
        "Parameters",
        "Time",
        "Epochs",
        "Settings",
    ]
    assert last[1:] == [
        "50.00%",
        "90.00%",
        "89.40% – 90.57%",
        "10,000",
        "109,386",
        "1.0 s",
        "8",
        "classic · epochs 3 · dense 20",
    ]


def test_the_table_says_what_state_a_run_is_in_unless_it_is_finished(open_page, store):
    stopped = finished_run(store, ME, state="stopped", reported=validated(0.6), checkpoint_step=20)
    again = finished_run(store, "somebody", test_accuracy=0.1)
    store.resume(stopped.id, owner_of(ME))
    assert rows(open_page("compare"))[3] == f"{title(stopped)} (waiting to continue)"
    store.claim_run("worker")
    assert rows(open_page("compare"))[3:] == [
        f"{title(stopped)} (training again)",
        title(again),
    ]
    store.request_stop(stopped.id, owner_of(ME))
    store.complete(stopped.id, "worker", "stopped", results={"test_accuracy": 0.2}, artifacts={})
    assert rows(open_page("compare", ME))[3] == f"{title(stopped)} (yours, stopped)"


def test_a_run_of_which_little_is_known_has_dashes(open_page, store):
    run = running_run(store, ME)
    store.complete(
        run.id, "worker", "finished", results={"test_accuracy": 0.5}, artifacts={KERAS: b"network"}
    )
    tab = open_page("compare", ME)
    assert_shown(tab, "compare")
    assert table_rows(tab)[-1][1:8] == ["–", "50.00%", "–", "–", "–", "–", "–"]


@pytest.mark.parametrize(
    ("sort", "first", "last"),
    [
        ("Validation accuracy", "cnn", "classic"),
        ("Newest", "Theirs", "classic"),
        ("Fastest", "classic", "cnn"),
        ("Fewest parameters", "classic", ("cnn", "sample")),
        ("Fewest epochs", "classic", ("cnn", "sample")),
        ("Settings", "classic", "Theirs"),
        ("Name", "classic", "Theirs"),
    ],
)
def test_the_table_is_sorted_as_wished_and_the_other_way_round(
    open_page, mine, others, sort, first, last
):
    tab = open_page("compare", ME, sort=sort)
    assert rows(tab)[0].startswith(first)
    assert rows(tab)[-1].startswith(last)
    tab.toggle(key="turned").set_value(True).run()
    assert rows(tab)[0].startswith(last)
    assert rows(tab)[-1].startswith(first)


def test_an_order_that_is_none_is_said_and_the_usual_one_shown(open_page, mine):
    tab = open_page("compare", ME, sort="<b>")
    assert_one_sentence(sentences(tab, "warning"), "invalid values (sort)")
    assert rows(tab)[0] == "cnn · built-in"


def test_of_very_many_runs_the_first_are_shown(open_page, store):
    many = 59
    for count in range(many):
        finished_run(store, f"visitor-{count}", steps=0, test_accuracy=0.1 + count / 1000)
    tab = open_page("compare")
    assert len(rows(tab)) == 60
    assert any(text.value == "The first 60 of 62 runs in this order." for text in tab.caption)


def test_any_runs_are_drawn_together_and_kept_in_the_address(open_page, mine, others):
    tab = open_page("compare", ME, runs=f"{mine.id},classic")
    assert drawn(tab) == [f"{title(mine)} (yours)", "classic · built-in"]
    assert list(live_charts(tab)) == [
        f"{value} over epochs. {title(mine)} (yours) ends at {mine_end} on validation images. "
        f"classic · built-in ends at {classic_end} on validation images."
        for value, mine_end, classic_end in (
            ("Accuracy", "50.0%", "98.1%"),
            ("Loss", "0.298", "0.062"),
        )
    ]
    tab.multiselect(key="overlaid").set_value([others.id, "cnn"]).run()
    assert tab.query_params["runs"] == f"{others.id},cnn"
    assert len(drawn(tab)) == 2
    tab.segmented_control(key="over").set_value("seconds").run()
    assert "Seconds of training" in str(live_charts(tab))
    tab.multiselect(key="overlaid").set_value([]).run()
    assert any("Choose one or more runs" in text for text in sentences(tab))
    assert faults(tab) == []


def test_who_comes_from_a_run_sees_it_marked_among_the_built_in_ones(open_page, mine, others):
    tab = open_page("compare", ME, run=others.id)
    first, *built_in = drawn(tab)
    assert (first, sorted(built_in)) == (title(others), sorted(SHIPPED))
    chart = next(iter(live_charts(tab).values()))
    widths = [trace["line"]["width"] for trace in chart["data"] if "name" in trace]
    assert widths == [6, 3, 3, 3]
    assert any(f"{title(others)} is thicker" in text.value for text in tab.markdown)
    tab.selectbox(key="picked_run").set_value("cnn").run()
    assert any(f"{title(others)} is thicker" in text.value for text in tab.markdown)
    assert not any("thicker" in text.value for text in open_page("compare", run="cnn").markdown)


def test_no_more_runs_than_there_are_colours_are_drawn(open_page, store):
    runs = [finished_run(store, f"visitor-{count}", steps=5).id for count in range(7)]
    tab = open_page("compare", runs=",".join(runs))
    assert tab.multiselect(key="overlaid").value == runs[:6]
    assert len(drawn(tab)) == 6
    assert_one_sentence(sentences(tab, "warning"), "The link names runs that are not here, or")


def test_a_run_named_twice_is_drawn_once(open_page):
    tab = open_page("compare", runs="classic,,classic,")
    assert tab.multiselect(key="overlaid").value == ["classic"]
    assert sentences(tab, "warning") == []


def test_a_choice_stays_when_others_come_and_go(open_page, store, mine, others):
    tab = open_page("compare", ME, runs=f"classic,{others.id},{mine.id}")
    store.delete(others.id, owner_of("somebody"))
    store.rename(mine.id, owner_of(ME), "Renamed")
    finished_run(store, "third", test_accuracy=0.99)
    tab.segmented_control(key="over").set_value("seconds").run()
    assert tab.query_params["runs"] == f"classic,{mine.id}"
    assert drawn(tab)[1].startswith("Renamed")
    assert_shown(tab, "compare")


@pytest.mark.parametrize("runs", ["nope", "classic,<script>"])
def test_runs_of_an_address_that_are_not_here_are_said(open_page, runs):
    tab = open_page("compare", ME, runs=runs)
    assert_shown(tab, "compare")
    warnings = sentences(tab, "warning")
    assert_one_sentence(warnings, "The link names runs that are not here, or too many")
    assert len(live_charts(tab)) == 2


def test_its_owner_renames_keeps_and_deletes_a_run(open_page, mine, store):
    tab = open_page("compare", ME, run=mine.id)
    tab.text_input(key=f"name-{mine.id}").set_value("My first")
    button(tab, "Rename").click().run()
    assert store.get(mine.id).name == "My first"
    assert f"{title(store.get(mine.id))} (yours)" in rows(tab)
    assert title(store.get(mine.id)).startswith("My first · classic · ")
    button(tab, "Keep").click().run()
    assert store.get(mine.id).pinned
    button(tab, "No longer keep").click().run()
    assert not store.get(mine.id).pinned
    button(tab, "Delete this run for good").click().run()
    assert store.list_runs() == []
    assert_shown(tab, "compare")
    assert rows(tab) == SHIPPED


def test_a_name_that_is_none_is_refused_with_a_sentence(open_page, mine, store):
    tab = open_page("compare", ME, run=mine.id)
    tab.text_input(key=f"name-{mine.id}").set_value("<b>bold</b>")
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


def test_a_run_in_training_cannot_be_deleted(open_page, store):
    run = finished_run(store, ME, state="stopped")
    store.resume(run.id, owner_of(ME))
    tab = open_page("compare", ME, run=run.id)
    assert {"Rename", "Keep"} <= set(buttons(tab))
    assert "Delete this run for good" not in buttons(tab)


def test_a_fourth_run_cannot_be_kept(open_page, store, mine):
    for _ in range(3):
        store.pin(finished_run(store, ME, steps=0).id, owner_of(ME), True)
    tab = open_page("compare", ME, run=mine.id)
    button(tab, "Keep").click().run()
    assert_one_sentence(sentences(tab, "error"), "You can keep 3 runs; let go of one first.")
    assert not store.get(mine.id).pinned


def test_without_a_database_the_shipped_runs_are_compared(open_page, monkeypatch, tmp_path):
    monkeypatch.setenv("MNIST_DATABASE_URL", f"sqlite:///{tmp_path / 'no' / 'folder' / 'runs.db'}")
    (tmp_path / "no").write_text("not a folder")
    tab = open_page("compare", ME)
    assert_shown(tab, "compare")
    assert rows(tab) == SHIPPED
    assert_one_sentence(sentences(tab, "warning"), "Meanwhile the built-in networks are shown.")


def test_a_locked_database_is_a_sentence(open_page, mine, store, monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    tab = open_page("compare", ME, run=mine.id)
    other = hold(tmp_path / "runs.db")
    button(tab, "Keep").click().run()
    other.close()
    assert_one_sentence(sentences(tab, "error"), "in use by another program; try again")
    assert not store.get(mine.id).pinned


def test_the_test_accuracy_is_reported_and_not_chosen_by(open_page, store):
    lucky = finished_run(store, "lucky", test_accuracy=0.999, reported=validated(0.97))
    better = finished_run(store, "better", test_accuracy=0.98, reported=validated(0.998))
    tab = open_page("compare")
    assert rows(tab) == [
        title(better),
        "cnn · built-in",
        "sample · built-in",
        "classic · built-in",
        title(lucky),
    ]
    assert tab.multiselect(key="overlaid").value == [better.id, "cnn"]
    assert_one_sentence(
        sentences(open_page("compare", sort="Test accuracy"), "warning"), "invalid values (sort)"
    )


def test_what_the_downloaded_models_do_is_said_beside_them_with_an_example(open_page):
    tab = open_page("compare", run="cnn")
    (text,) = [caption.value for caption in tab.caption if "Both models" in caption.value]
    assert "whole numbers from 0 (paper) to 255 (ink)" in text
    assert "average over 5 views" in text
    assert "classify as this app does: 99.63% of test images" in text
    in_keras, in_litert = (code.value for code in tab.code)
    assert "model.predict(x_test)" in in_keras
    assert 'get_signature_runner("classify")' in in_litert


def test_files_of_an_earlier_version_are_said_to_be_otherwise(open_page, mine, monkeypatch):
    monkeypatch.setattr(
        "pages.shared.cache.classifier", lambda run: SimpleNamespace(complete=False)
    )
    tab = open_page("compare", run=mine.id)
    assert any("from 0 (paper) to 1 (ink)" in caption.value for caption in tab.caption)
    assert all("np.float32(255)" in code.value for code in tab.code)
