import dataclasses
import re
import sqlite3

import pytest

from mnist_core.config import PRESETS, TrainConfig
from mnist_core.shipped import shipped_runs
from mnist_core.store import engine, quotas, rows
from mnist_core.store.names import title
from mnist_core.store.run import CHECKPOINT
from tests.helpers import add_worker, finished_run, reports, running_run, waiting_run
from tests.pages.helpers import (
    all_text,
    assert_one_sentence,
    assert_shown,
    button,
    buttons,
    faults,
    headings,
    hold,
    live_charts,
    metrics,
    mine,
    open_more,
    sentences,
    visit,
)

CLASSIC = shipped_runs()["classic"]

ME = "token-of-this-visitor-0123456789abcdef"
SAMPLE = "Using the 5,000 digits that came with the app"
# What each setting is called on the page.
LABELS = {
    "preset": "Network",
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "learning_rate": "Learning rate",
}


def setting(tab, label: str):
    """The widget with this label."""
    kinds = ("segmented_control", "slider", "select_slider", "number_input", "text_input", "toggle")
    (found,) = [w for kind in kinds for w in getattr(tab, kind) if w.label == label]
    return found


def settings(tab) -> dict:
    """What the widgets stand at."""
    return {name: setting(tab, label).value for name, label in LABELS.items()}


def settings_of(config: TrainConfig) -> dict:
    return {name: getattr(config, name) for name in LABELS}


def notices(tab, *kinds: str) -> list[str]:
    """All boxes but the one about the sample."""
    return [text for text in sentences(tab, *kinds) if not text.startswith(SAMPLE)]


def assert_example(tab, name: str = "classic") -> None:
    """The curves are a built-in network's, faded, and say so."""
    charts = live_charts(tab)
    assert len(charts) == 3
    for alt, chart in charts.items():
        assert alt.endswith(f"; example: the built-in {name} network")
        assert all(trace["opacity"] < 0.5 for trace in chart["data"])
        texts = [note["text"] for note in chart["layout"]["annotations"]]
        assert texts == [f"Example: the built-in {name} network"]


# --- settings ---


def test_it_begins_with_the_classic_preset_and_an_invitation(open_page):
    tab = open_page("train", ME)
    assert_shown(tab, "train")
    assert settings(tab) == settings_of(PRESETS["classic"])
    assert_one_sentence(notices(tab), "Press **Start training**")
    assert not button(tab, "Start training").disabled
    assert "Stop" not in buttons(tab)
    # What to expect: the curves of the network that came with the app.
    assert any("What to expect" in caption.value for caption in tab.caption)
    assert len(live_charts(tab)) == 3
    assert_example(tab)


def test_choosing_a_preset_sets_its_values_and_the_address(open_page):
    tab = open_page("train", ME, epochs="3")
    for name in ("cnn", "classic"):
        setting(tab, "Network").set_value(name).run()
        assert settings(tab) == settings_of(PRESETS[name])
        assert tab.query_params == {"preset": name}


def test_each_preset_is_described(open_page):
    tab = open_page("train", ME)
    assert "784 pixels" in tab.caption[0].value
    setting(tab, "Network").set_value("cnn").run()
    assert "Convolutions" in tab.caption[0].value


def test_a_changed_setting_is_in_the_address_and_the_presets_own_is_not(open_page):
    tab = open_page("train", ME)
    setting(tab, "Epochs").set_value(3).run()
    setting(tab, "Learning rate").set_value(0.1).run()
    setting(open_more(tab), "Seed").set_value(42).run()
    assert tab.query_params == {
        "preset": "classic",
        "epochs": "3",
        "learning_rate": "0.1",
        "seed": "42",
    }
    setting(tab, "Epochs").set_value(PRESETS["classic"].epochs).run()
    assert "epochs" not in tab.query_params


def test_a_teachers_link_sets_everything(open_page):
    tab = open_page(
        "train", ME, preset="cnn", epochs="2", batch_size="100", learning_rate="0.005", seed="9"
    )
    assert notices(tab, "warning", "error") == []
    assert settings(tab) == {
        "preset": "cnn",
        "epochs": 2,
        "batch_size": 100,
        "learning_rate": 0.005,
    }
    assert setting(open_more(tab), "Seed").value == 9


def test_settings_outlive_a_visit_to_another_page(open_page):
    tab = open_page("train", ME, preset="cnn")
    setting(tab, "Epochs").set_value(3).run()
    setting(tab, "Batch size").set_value(512).run()
    before = settings(tab)
    visit(tab, "explore")
    visit(tab, "train")
    assert settings(tab) == before
    assert tab.query_params == {"preset": "cnn", "epochs": "3", "batch_size": "512"}


def test_the_seed_of_explore_is_not_the_seed_of_train(open_page):
    tab = open_page("train", ME, seed="42")
    visit(tab, "explore")
    setting(tab, "Seed").set_value(5).run()
    visit(tab, "train")
    assert setting(open_more(tab), "Seed").value == 42


@pytest.mark.parametrize(
    ("address", "part"),
    [
        ({"epochs": "9999"}, "Epochs must be a whole number from 1 to 30. Using 8."),
        ({"epochs": "0"}, "Epochs must be a whole number from 1 to 30. Using 8."),
        ({"epochs": "2.5"}, "Epochs must be a whole number from 1 to 30. Using 8."),
        ({"epochs": ""}, "Epochs must be a number. Using 8."),
        ({"learning_rate": "abc"}, "Learning rate must be a number. Using 0.006."),
        ({"learning_rate": "nan"}, "Learning rate must be a number"),
        ({"learning_rate": "-1"}, "Learning rate must be a number from 1e-05 to 1.0."),
        ({"preset": "nope"}, "There is no preset of that name; using classic."),
        ({"preset": ""}, "There is no preset of that name; using classic."),
        ({"seed": "-5"}, "Seed must be a whole number from 0"),
        ({"seed": "99999999999999999999"}, "Seed must be a whole number from 0"),
        ({"batch_size": "1e400"}, "Batch size must be a number. Using 256."),
        ({"batch_size": "<script>"}, "Batch size must be a number. Using 256."),
    ],
)
def test_an_address_out_of_range_is_said_and_the_presets_value_used(open_page, address, part):
    tab = open_page("train", ME, **address)
    assert_shown(tab, "train")
    assert_one_sentence(notices(tab, "warning", "error"), part)
    assert settings(tab) == settings_of(PRESETS["classic"])
    assert tab.query_params == {"preset": "classic"}
    assert not button(tab, "Start training").disabled


def test_each_wrong_part_of_an_address_has_its_sentence(open_page):
    tab = open_page("train", ME, preset="nope", epochs="9999", learning_rate="abc", seed="3")
    assert len(notices(tab, "warning")) == 3
    assert settings(tab) == settings_of(PRESETS["classic"])
    assert setting(open_more(tab), "Seed").value == 3


def test_a_run_that_is_not_there_is_said_and_leaves_the_address(open_page):
    tab = open_page("train", ME, run="nope")
    assert_shown(tab, "train")
    assert_one_sentence(notices(tab, "warning"), "There is no such run")
    assert "run" not in tab.query_params


WHOLE = {
    "preset": "quick",
    "epochs": "2",
    "optimizer": "momentum",
    "schedule": "linear",
    "weight_decay": "0.01",
    "label_smoothing": "0.1",
    "convolutions": "8x5s2-16x3s1",
    "dense": "none",
    "dropout": "0.5",
    "batch_normalization": "no",
    "looks": "3",
    "batch_size": "64",
    "learning_rate": "0.03",
    "training_images": "1000",
    "shuffled_labels": "0.5",
    "drawn_digits": "0",
    "augmentation": "yes",
    "seed": "5",
}


def test_a_whole_configuration_is_in_the_address_and_one_button_trains_it(open_page, store):
    tab = open_page("train", ME, **WHOLE)
    assert notices(tab, "warning", "error") == []
    assert tab.query_params == WHOLE
    button(tab, "Start training").click().run()
    (run,) = store.list_runs()
    assert run.config.to_query() == WHOLE


def test_every_setting_says_what_it_does_and_what_to_try(open_page):
    tab = open_more(open_page("train", ME))
    kinds = ("segmented_control", "slider", "select_slider", "number_input", "text_input", "toggle")
    widgets = [widget for kind in kinds for widget in getattr(tab, kind)]
    widgets.remove(tab.text_input(key="your_name"))
    assert len(widgets) == len(WHOLE)
    for widget in widgets:
        if widget.label not in ("Network", "Seed"):
            assert re.search(r"\b[Tt]ry ", widget.help), widget.label


def test_the_network_is_summed_up_as_it_is_edited(open_page):
    tab = open_more(open_page("train", ME))
    assert any("109,386 parameters" in caption.value for caption in tab.caption)
    setting(tab, "Dense layers").set_value("20").run()
    assert tab.query_params["dense"] == "20"
    assert any("15,910 parameters" in caption.value for caption in tab.caption)
    setting(tab, "Convolutions").set_value("4").run()
    assert "<td>14 × 14 × 4</td>" in all_text(tab)


@pytest.mark.parametrize(
    ("label", "text", "part"),
    [
        ("Dense layers", "many", "Dense layers are written as"),
        ("Dense layers", "1024, 1024", "This network has 1,863,690 parameters"),
        ("Convolutions", "<script>", "Convolutions are written as"),
        ("Convolutions", "32x7s1, 128x7s2, 8", "Use fewer filters"),
    ],
)
def test_layers_that_cannot_be_are_said_and_not_trained(open_page, label, text, part):
    tab = open_more(open_page("train", ME))
    setting(tab, label).set_value(text).run()
    assert_one_sentence(sentences(tab, "error"), part)
    assert button(tab, "Start training").disabled
    setting(tab, label).set_value("none").run()
    assert sentences(tab, "error") == []
    assert not button(tab, "Start training").disabled


def test_a_changed_preset_can_be_had_back(open_page):
    tab = open_page("train", ME, epochs="3", dense="20")
    button(tab, "Reset to classic's defaults").click().run()
    assert settings(tab) == settings_of(PRESETS["classic"])
    assert tab.query_params == {"preset": "classic"}
    assert setting(open_more(tab), "Dense layers").value == "128-64"
    assert "Reset to classic's defaults" not in buttons(tab)


# --- settings in one line ---


def line(tab) -> str:
    """The settings in one line; fails if the widgets are there."""
    assert [slider.label for slider in tab.slider] == []
    (text,) = tab.text
    return text.value


def test_start_turns_the_settings_into_a_line_that_change_opens(open_page, store):
    tab = open_page("train", ME, epochs="3", dense="20")
    button(tab, "Start training").click().run()
    assert line(tab) == "classic, 3 epochs, batch size 256, learning rate 0.006, dense 20"
    assert tab.query_params["epochs"] == "3"
    button(tab, "Change").click().run()
    assert settings(tab) == settings_of(PRESETS["classic"]) | {"epochs": 3}
    setting(tab, "Epochs").set_value(5).run()
    button(tab, "Hide settings").click().run()
    assert line(tab).startswith("classic, 3 epochs"), "of the run that is shown"
    button(tab, "Change").click().run()
    assert setting(tab, "Epochs").value == 5, "what was set is kept"


def test_a_link_to_a_run_brings_its_settings(open_page, store):
    config = dataclasses.replace(PRESETS["cnn"], epochs=1)
    run = running_run(store, "somebody else", config)
    tab = open_page("train", ME, run=run.id)
    assert line(tab) == "cnn, 1 epoch, batch size 256, learning rate 0.006"
    button(tab, "Change").click().run()
    assert settings(tab) == settings_of(config)


def test_settings_that_were_closed_keep_what_was_set_in_them(open_page, store):
    tab = open_more(open_page("train", ME))
    setting(tab, "Dropout").set_value(0.5).run()
    tab.session_state["more_settings"] = False
    tab.run()
    assert tab.query_params["dropout"] == "0.5"
    button(tab, "Start training").click().run()
    assert store.list_runs()[0].config.dropout == 0.5


def test_a_projector_has_the_line_and_change_brings_the_settings_back(open_page, store):
    tab = open_page("train", ME, presenter="on", epochs="2")
    assert line(tab) == "classic, 2 epochs, batch size 256, learning rate 0.006"
    button(tab, "Change").click().run()
    setting(tab, "Epochs").set_value(1).run()
    button(tab, "Start training").click().run()
    assert line(tab).startswith("classic, 1 epoch, ")
    assert store.list_runs()[0].config.epochs == 1
    assert tab.query_params["presenter"] == "on"


# --- starting ---


def test_start_stores_a_waiting_run_with_these_settings_and_its_address(open_page, store):
    tab = open_page("train", ME, preset="cnn")
    setting(tab, "Epochs").set_value(3).run()
    setting(tab, "Batch size").set_value(256).run()
    setting(tab, "Learning rate").set_value(0.01).run()
    setting(open_more(tab), "Seed").set_value(7).run()
    wanted = settings(tab)
    button(tab, "Start training").click().run()
    (run,) = store.list_runs()
    assert run.state == "waiting"
    assert run.owner == mine(ME)
    assert settings_of(run.config) == wanted
    assert run.config.seed == 7
    assert run.config.augmentation, "what the page does not offer is the preset's"
    assert tab.query_params["run"] == run.id
    assert headings(tab) == [title(run)]
    assert faults(tab) == []


def test_a_second_start_is_impossible_while_one_is_active(open_page, store):
    tab = open_page("train", ME)
    button(tab, "Start training").click().run()
    for later in (tab, open_page("train", ME)):
        assert "Start training" not in buttons(later)
        button(later, "Change").click().run()
        assert button(later, "Start training").disabled
    assert not button(open_page("train", "somebody else"), "Start training").disabled


def test_a_second_start_from_a_stale_tab_is_refused_with_a_sentence(open_page, store):
    tab, stale = open_page("train", ME), open_page("train", ME)
    button(tab, "Start training").click().run()
    button(stale, "Start training").click().run()
    assert len(store.list_runs()) == 1
    assert faults(stale) == []
    assert any("You have a run in training already" in text for text in sentences(stale, "error"))
    assert "Start training" not in buttons(stale), "the run is shown instead"


def test_start_in_a_locked_database_is_a_sentence_and_the_settings_stay(
    open_page, store, monkeypatch, tmp_path
):
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    tab = open_page("train", ME, epochs="3")
    other = hold(tmp_path / "runs.db")
    button(tab, "Start training").click().run()
    other.close()
    assert faults(tab) == []
    assert_one_sentence(sentences(tab, "error"), "in use by another program; try again")
    assert store.list_runs() == []
    assert settings(tab)["epochs"] == 3
    button(tab, "Start training").click().run()
    assert len(store.list_runs()) == 1


def test_start_in_a_read_only_database_is_a_sentence(open_page, store, monkeypatch, tmp_path):
    monkeypatch.setenv(
        "MNIST_DATABASE_URL", f"sqlite:///file:{tmp_path / 'runs.db'}?mode=ro&uri=true"
    )
    tab = open_page("train", ME)
    button(tab, "Start training").click().run()
    assert faults(tab) == []
    assert_one_sentence(sentences(tab, "error"), "is read-only, so nothing new can be stored")


def test_a_full_queue_is_said(open_page, store, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_ACTIVE", 2)
    for number in range(2):
        waiting_run(store, f"visitor {number}")
    tab = open_page("train", ME)
    button(tab, "Start training").click().run()
    assert_one_sentence(sentences(tab, "error"), "The queue is full; try again")
    assert len(store.list_runs()) == 2


# --- a waiting run ---


def test_a_waiting_run_says_its_place_in_the_queue(open_page, store):
    running_run(store, "first")
    waiting_run(store, "second")
    run = waiting_run(store, ME)
    tab = open_page("train", ME)
    assert_shown(tab, "train")
    assert tab.query_params["run"] == run.id
    assert_one_sentence(notices(tab), "2 runs ahead of yours; starts in about ")
    other = notices(open_page("train", "second"))
    assert_one_sentence(other, "1 run ahead of yours; starts in about ")
    assert "Stop" in buttons(tab)
    assert set(metrics(tab).values()) == {"–"}
    assert_example(tab)


def test_the_first_in_the_queue_waits_for_the_training_process(open_page, store, may_train):
    waiting_run(store, ME)
    tab = open_page("train", ME)
    assert notices(tab) == [
        "The training process is starting; the first time takes about ten seconds."
    ]


def test_a_server_that_does_not_train_says_so_to_who_waits(open_page, store):
    waiting_run(store, ME)
    assert_one_sentence(
        sentences(open_page("train", ME), "error"),
        "This server does not train (MNIST_WORKERS is 0)",
    )


def test_stop_takes_a_waiting_run_out_of_the_queue(open_page, store):
    run = waiting_run(store, ME)
    tab = open_page("train", ME)
    button(tab, "Stop").click().run()
    assert store.get(run.id).state == "interrupted"
    assert_one_sentence(sentences(tab, "error"), "Stopped before it began.")
    assert not button(tab, "Start training").disabled


# --- a running run ---


def test_a_running_run_shows_its_progress_numbers_and_curves(open_page, store):
    run = running_run(store, ME)
    tab = open_page("train", ME)
    assert_shown(tab, "train")
    assert headings(tab) == [title(run)]
    assert tab.progress[0].text.startswith("Epoch 2.4 of 8, about ")
    assert tab.progress[0].value == 30
    assert metrics(tab) == {
        "Validation": "50.00%",
        "Batch accuracy": "72.9%",
        "Batch loss": "0.693",
        "Time": "0.1 s",
        "Images a second": "25.6k",
    }
    charts = live_charts(tab)
    assert [text.split(" over")[0] for text in charts] == ["Accuracy", "Loss", "Learning rate"]
    assert all(max(len(trace["x"]) for trace in chart["data"]) for chart in charts.values())


def test_the_curves_grow_with_the_reports(open_page, store):
    run = running_run(store, ME, steps=6)
    tab = open_page("train", ME)
    before = list(live_charts(tab))
    store.report(run.id, "worker", reports(6, first=7))
    tab.run()
    assert list(live_charts(tab)) != before
    assert tab.progress[0].text.startswith("Epoch 2.4 of 8")


def test_a_run_that_has_just_begun_has_no_numbers_yet(open_page, store):
    running_run(store, ME, steps=0)
    tab = open_page("train", ME)
    assert_shown(tab, "train")
    assert tab.progress[0].text == "Compiling the network …"
    assert set(metrics(tab).values()) == {"–"}
    assert_example(tab)


def test_a_preset_without_a_network_of_its_own_has_an_example_too(open_page, store):
    waiting_run(store, ME, PRESETS["quick"])
    assert_example(open_page("train", ME))


def test_a_training_loss_above_the_validation_loss_is_explained(open_page, store):
    higher, lower = (
        [dataclasses.replace(report, loss=loss) for report in reports(2, steps_per_epoch=1)]
        for loss in (3.0, 0.1)
    )
    smoothed = dataclasses.replace(PRESETS["classic"], label_smoothing=0.1, drawn_digits=0)
    run = running_run(store, ME, smoothed, reported=higher)
    texts = [part.value for part in open_page("train", run=run.id).markdown]
    assert sum("because of label smoothing (0.1)" in text for text in texts) == 1
    usual = running_run(store, "other", smoothed, reported=lower, worker_id="another")
    texts = [part.value for part in open_page("train", run=usual.id).markdown]
    assert not any("Training loss is above" in text for text in texts)


def test_a_run_past_its_last_step_is_being_tested(open_page, store):
    running_run(store, ME, steps=40)
    assert open_page("train", ME).progress[0].text.startswith("Testing once on the test images")


def test_only_the_owner_sees_stop(open_page, store):
    run = running_run(store, "somebody else")
    tab = open_page("train", ME, run=run.id)
    assert_shown(tab, "train")
    assert "Stop" not in buttons(tab)
    assert len(live_charts(tab)) == 3, "but all may watch"
    assert not button(tab, "Start training").disabled
    assert "Stop" in buttons(open_page("train", "somebody else", run=run.id))


def test_nobody_learns_the_owner_of_a_run(open_page, store):
    run = running_run(store, "somebody else")
    text = all_text(open_page("train", ME, run=run.id))
    assert run.owner not in text
    assert "somebody else" not in text


def test_a_running_run_is_found_again_without_its_address(open_page, store):
    run = running_run(store, ME)
    tab = open_page("train", ME)
    assert tab.query_params["run"] == run.id
    visit(tab, "explore")
    visit(tab, "train")
    assert tab.query_params["run"] == run.id
    assert headings(tab) == [title(run)]


def test_stop_asks_the_run_to_stop_and_cannot_be_pressed_twice(open_page, store):
    run = running_run(store, ME)
    tab = open_page("train", ME)
    button(tab, "Stop").click().run()
    assert store.get(run.id).stop_requested
    assert store.get(run.id).state == "running"
    assert button(tab, "Stop").disabled
    assert tab.progress[0].text == "Stopping, then testing …"
    assert faults(tab) == []


def test_stop_in_a_locked_database_is_a_sentence(open_page, store, monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    run = running_run(store, ME)
    tab = open_page("train", ME)
    other = hold(tmp_path / "runs.db")
    button(tab, "Stop").click().run()
    other.close()
    assert faults(tab) == []
    assert_one_sentence(sentences(tab, "error"), "in use by another program; try again")
    assert not store.get(run.id).stop_requested


def test_a_run_that_lost_its_process_says_that_it_goes_on(open_page, store, may_train):
    running_run(store, ME)
    store.remove("worker")
    tab = open_page("train", ME)
    assert_one_sentence(
        notices(tab), "The training process stopped unexpectedly. Another one is starting"
    )
    assert len(live_charts(tab)) == 3, "what it had learnt can be seen meanwhile"
    assert "Stop" in buttons(tab)


def curve(tab) -> list[float]:
    """The epochs at which the accuracy on training batches is drawn."""
    (figure,) = (f for alt, f in live_charts(tab).items() if alt.startswith("Accuracy"))
    return figure["data"][0]["x"]


def test_what_was_reported_since_the_last_look_is_drawn_too(open_page, store):
    run = running_run(store, ME, steps=4)
    tab = open_page("train", ME)
    before = curve(tab)
    store.report(run.id, "worker", reports(2, first=5))
    assert curve(tab.run()) == [*before, 1.0, 1.2]


def test_a_run_that_another_worker_began_again_is_drawn_as_it_is_now(open_page, store):
    running_run(store, ME, steps=12)
    tab = open_page("train", ME)
    assert curve(tab)[-1] == 2.4
    store.remove("worker")
    add_worker(store, "another")
    run = store.claim_run("another")
    store.report(run.id, "another", reports(2))
    assert curve(tab.run()) == [0.2, 0.4]


def test_who_looks_on_sees_the_same_curves_as_the_owner(open_page, store):
    run = running_run(store, ME, steps=12)
    assert curve(open_page("train", run=run.id)) == curve(open_page("train", ME))


# --- a run that has ended ---


@pytest.mark.parametrize("state", ["stopped", "interrupted"])
def test_its_owner_may_resume_what_did_not_finish(open_page, store, state):
    run = finished_run(store, ME, state=state)
    assert "Resume" not in buttons(open_page("train", "somebody else", run=run.id))
    tab = open_page("train", ME, run=run.id)
    button(tab, "Resume").click().run()
    assert store.get(run.id).state == "waiting"
    assert "Stop" in buttons(tab)
    assert faults(tab) == []


def test_a_finished_run_goes_on_for_as_many_epochs_as_asked(open_page, store):
    run = finished_run(store, ME)
    with store.database.write() as connection:
        rows.store_artifact(connection, run.id, CHECKPOINT, b"state")
    assert "Continue training" not in buttons(open_page("train", "somebody else", run=run.id))
    tab = open_page("train", ME, run=run.id)
    setting(tab, "More epochs").set_value(3).run()
    button(tab, "Continue training").click().run()
    again = store.get(run.id)
    assert (again.state, again.config.more_epochs) == ("waiting", (3,))


def test_a_finished_run_from_before_says_that_it_cannot_go_on(open_page, store):
    run = finished_run(store, ME)
    tab = open_page("train", ME, run=run.id)
    button(tab, "Continue training").click().run()
    assert_one_sentence(sentences(tab, "error"), "trained before runs could resume")


def test_a_run_that_diverged_offers_a_tenth_of_its_learning_rate(open_page, store):
    config = dataclasses.replace(PRESETS["classic"], learning_rate=1.0, epochs=3)
    run = running_run(store, ME, config)
    store.complete(run.id, "worker", "failed", message="The loss stopped being a number.")
    tab = open_page("train", ME, run=run.id)
    button(tab, "Set the learning rate to 0.1").click().run()
    assert settings(tab) == settings_of(config) | {"learning_rate": 0.1}
    assert not button(tab, "Start training").disabled


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("interrupted", "The training process ended before the run did. Its curves are kept."),
        ("failed", "The loss is no longer a number; try a smaller learning rate."),
    ],
)
def test_a_run_that_ended_badly_says_why_and_keeps_its_curves(open_page, store, state, message):
    run = running_run(store, ME)
    store.complete(run.id, "worker", state, message=message)
    tab = open_page("train", ME, run=run.id)
    assert_shown(tab, "train")
    assert notices(tab) == [message]
    assert headings(tab) == [f"{title(run)} · {state}"]
    assert len(live_charts(tab)) == 3
    assert metrics(tab)["Batch loss"] == "0.693"
    assert "Stop" not in buttons(tab)
    assert not button(tab, "Start training").disabled


def test_a_finished_run_shows_its_result_its_curves_and_where_to_go(open_page, store):
    run = finished_run(store, ME)
    tab = open_page("train", ME, run=run.id)
    assert_shown(tab, "train")
    assert notices(tab) == []
    assert headings(tab) == [f"{title(run)} · finished"]
    assert metrics(tab)["Test accuracy"] == f"{CLASSIC.test_accuracy:.2%}"
    assert len(live_charts(tab)) == 3
    assert len(tab.progress) == 0
    assert [link.label for link in tab.page_link] == [
        "Let it read your handwriting",
        "Compare it with others, name it, download it",
    ]
    tab.button(key="next_step").click().run()
    assert_shown(tab, "evaluate")
    assert tab.query_params["run"] == run.id


def test_a_stopped_run_has_a_result_too(open_page, store):
    run = finished_run(store, ME, state="stopped")
    tab = open_page("train", ME, run=run.id)
    assert headings(tab) == [f"{title(run)} · stopped"]
    assert metrics(tab)["Test accuracy"] == f"{CLASSIC.test_accuracy:.2%}"


def test_the_page_shows_the_result_when_the_run_ends(open_page, store):
    run = running_run(store, ME)
    tab = open_page("train", ME)
    assert "Stop" in buttons(tab)
    store.complete(run.id, "worker", "failed", message="It ended.")
    tab.run()
    assert headings(tab) == [f"{title(run)} · failed"]
    assert "Stop" not in buttons(tab)
    assert not button(tab, "Start training").disabled


def test_a_new_run_replaces_the_finished_one_on_the_page(open_page, store):
    old = finished_run(store, ME)
    tab = open_page("train", ME, run=old.id)
    button(tab, "Start training").click().run()
    (new,) = store.list_runs(states=("waiting",))
    assert tab.query_params["run"] == new.id
    assert headings(tab) == [title(new)]


def test_a_shipped_run_shows_its_curves(open_page):
    tab = open_page("train", ME, run="classic")
    assert_shown(tab, "train")
    assert len(live_charts(tab)) == 3
    assert metrics(tab)["Test accuracy"] == f"{CLASSIC.test_accuracy:.2%}"


def test_a_run_that_is_deleted_while_it_is_watched_is_a_sentence(open_page, store, tmp_path):
    run = finished_run(store, ME)
    tab = open_page("train", ME, run=run.id)
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        connection.execute("DELETE FROM runs")
    connection.close()
    tab.run()
    assert_shown(tab, "train")
    assert_one_sentence(notices(tab, "warning"), "There is no such run; it may have been deleted")


def test_a_read_only_installation_still_shows_its_charts(open_page, store, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr("pages.server.served.STATIC", tmp_path / "file" / "static")
    run = finished_run(store, ME)
    tab = open_page("train", ME, run=run.id)
    assert_shown(tab, "train")
    assert len(tab.get("plotly_chart")) == 3


def test_a_run_that_learned_nothing_says_so_and_what_to_try(open_page, store):
    run = finished_run(store, ME, TrainConfig(learning_rate=1.0), test_accuracy=0.098)
    tab = open_page("train", ME, run=run.id)
    assert_shown(tab, "train")
    assert_one_sentence(
        notices(tab, "warning"),
        "This network learned nothing: it classifies 9.8% of the test images correctly, and "
        "guessing gets 10% right. Train again with a lower learning rate.",
    )
    slow = finished_run(store, "other", TrainConfig(learning_rate=1e-5), test_accuracy=0.1135)
    (sentence,) = notices(open_page("train", ME, run=slow.id), "warning")
    assert sentence.endswith("Train again with a higher learning rate or more epochs.")
    good = finished_run(store, "third", test_accuracy=0.5)
    assert notices(open_page("train", ME, run=good.id), "warning") == []
