import pytest

from mnist_core.config import PRESETS
from mnist_core.store import quotas
from mnist_core.store.run import FINISHED, INTERRUPTED, RUNNING, STOPPED, WAITING, owner_of
from pages.server import rates
from pages.server.rates import TRAIN
from tests.helpers import (
    end_as_shipped,
    finished_run,
    running_run,
    trained_sweep,
    waiting_run,
    waiting_sweep,
)
from tests.pages.helpers import (
    assert_one_sentence,
    assert_shown,
    button,
    buttons,
    captions,
    faults,
    headings,
    live_charts,
    metrics,
    sentences,
    table_rows,
)

ME, SOMEBODY = "token-of-this-visitor-0123456789abcdef", "token-of-somebody"
SAMPLE = "Using the 5,000 digits that came with the app"
ACCURACIES = (0.9612, 0.9418, 0.9735, 0.9688, 0.9592, 0.9731)


def notices(tab, *kinds: str) -> list[str]:
    """All boxes but the one about the sample."""
    return [text for text in sentences(tab, *kinds) if not text.startswith(SAMPLE)]


def links(tab) -> dict[str, str]:
    """The address parameters of each link, by its words."""
    return {link.proto.label: link.proto.query_string for link in tab.get("page_link")}


# --- what is to be tried ---


def test_it_begins_with_six_short_runs_and_an_invitation(open_page):
    tab = open_page("sweep", ME)
    assert_shown(tab, "sweep")
    assert_one_sentence(notices(tab), "Press **Start the sweep**")
    assert any(text.startswith("6 runs, about ") for text in captions(tab))
    assert not button(tab, "Start the sweep").disabled
    assert "Stop the sweep" not in buttons(tab)
    assert live_charts(tab) == {}


def test_the_train_page_leads_there_and_to_ones_own_sweep(open_page, store):
    assert links(open_page("train", ME))["Try several settings at once"] == ""
    sweep = waiting_sweep(store, ME)
    tab = open_page("train", ME)
    assert links(tab)["Your sweep is training"] == f"sweep={sweep[0].id}"
    assert not button(tab, "Start training").disabled, "a run may train besides a sweep"
    assert tab.query_params["run"] == sweep[0].id


def test_a_run_of_a_sweep_leads_back_to_it(open_page, store):
    sweep = trained_sweep(store, ACCURACIES, SOMEBODY)
    found = links(open_page("train", ME, run=sweep[1].id))
    assert found["See the sweep this run belongs to"] == f"sweep={sweep[0].id}"


def test_a_press_submits_what_was_chosen(open_page, store):
    tab = open_page("sweep", ME)
    tab.segmented_control(key="sweep_preset").set_value("quick").run()
    tab.multiselect(key="sweep_settings").set_value(["optimizer", "dense"]).run()
    tab.multiselect(key="sweep_optimizer").set_value(["sgd", "adam"]).run()
    tab.multiselect(key="sweep_dense").set_value(["none", "128-64"]).run()
    tab.slider(key="sweep_epochs").set_value(3).run()
    tab.text_input(key="your_name").set_value("Ada").run()
    button(tab, "Start the sweep").click().run()
    assert_shown(tab, "sweep")
    sweep = store.sweep_runs(tab.query_params["sweep"])
    assert [(run.config.optimizer, run.config.dense) for run in sweep] == [
        ("adam", ()), ("adam", (128, 64)), ("sgd", ()), ("sgd", (128, 64)),
    ]  # fmt: skip
    assert {(run.config.preset, run.config.epochs, run.owner) for run in sweep} == {
        ("quick", 3, owner_of(ME))
    }
    assert {run.name for run in sweep} == {"Ada"}
    assert "Stop the sweep" in buttons(tab)
    assert button(tab, "Start the sweep").disabled


def test_epochs_that_are_tried_have_no_slider_beside_them(open_page, store):
    tab = open_page("sweep", ME)
    tab.multiselect(key="sweep_settings").set_value(["epochs"]).run()
    assert not [slider for slider in tab.slider if slider.key == "sweep_epochs"]
    button(tab, "Start the sweep").click().run()
    assert [run.config.epochs for run in store.sweep_runs(tab.query_params["sweep"])] == [1, 2]


def test_some_combinations_by_chance_are_as_many_as_asked_for(open_page, store):
    tab = open_page("sweep", ME)
    tab.multiselect(key="sweep_batch_size").set_value(["32", "64", "128", "256", "512"]).run()
    assert_one_sentence(notices(tab, "error"), "That would be 15 runs, and 12 are allowed")
    assert button(tab, "Start the sweep").disabled
    tab.segmented_control(key="sweep_method").set_value("random").run()
    tab.number_input(key="sweep_count").set_value(5).run()
    assert notices(tab, "error") == []
    button(tab, "Start the sweep").click().run()
    assert len(store.sweep_runs(tab.query_params["sweep"])) == 5


@pytest.mark.parametrize(
    ("key", "values", "sentence"),
    [
        ("sweep_settings", [], "Choose at least one setting to try."),
        ("sweep_batch_size", [], "Batch size has no values to try; choose some."),
    ],
)
def test_what_cannot_be_tried_is_said_and_nothing_can_be_started(key, values, sentence, open_page):
    tab = open_page("sweep", ME)
    tab.multiselect(key=key).set_value(values).run()
    assert_shown(tab, "sweep")
    assert_one_sentence(notices(tab, "error"), sentence)
    assert button(tab, "Start the sweep").disabled


def test_a_full_queue_takes_no_sweep_and_says_so(open_page, store, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_ACTIVE", 1)
    waiting_run(store, SOMEBODY)
    tab = open_page("sweep", ME)
    button(tab, "Start the sweep").click().run()
    assert_one_sentence(notices(tab, "error"), "The queue is full")
    assert len(store.list_runs()) == 1


def test_a_refused_sweep_costs_nothing(open_page, store, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_ACTIVE_EACH_ADDRESS", 0)
    tab = open_page("sweep", ME)
    for _ in range(rates.LIMITS[TRAIN].visitor.most + 1):
        button(tab, "Start the sweep").click().run()
        assert_one_sentence(notices(tab, "error"), "Your network has as many runs")
    monkeypatch.setattr(quotas, "MOST_ACTIVE_EACH_ADDRESS", 1)
    button(tab, "Start the sweep").click().run()
    assert len(store.list_runs()) == 6


def test_a_visitor_starts_one_sweep_at_a_time_besides_a_run(open_page, store):
    waiting_run(store, ME)
    tab = open_page("sweep", ME)
    button(tab, "Start the sweep").click().run()
    assert len(store.list_runs()) == 7
    assert button(open_page("sweep", ME), "Start the sweep").disabled


# --- while it goes on ---


def test_a_sweep_shows_how_far_each_run_is(open_page, store):
    trained_sweep(store, ACCURACIES[:2], ME, going_on=True)
    tab = open_page("sweep", ME)
    assert_shown(tab, "sweep")
    assert headings(tab) == ["6 runs of classic"]
    header, *rows = table_rows(tab)
    assert header == ["Learning rate", "Batch size", "Validation", "State"]
    assert rows == [
        ["0.002", "64", "96.12%", "done"],
        ["0.002", "256", "94.18%", "done"],
        ["0.006", "64", "50.00%", "epoch 1.4 of 2"],
        ["0.006", "256", "–", "waiting"],
        ["0.02", "64", "–", "waiting"],
        ["0.02", "256", "–", "waiting"],
    ]
    assert notices(tab, "info", "error") == []
    assert "Best" not in str(headings(tab))


def test_the_figure_has_its_axes_from_the_beginning_and_a_line_for_each_run_that_ended(
    open_page, store
):
    sweep = trained_sweep(store, ACCURACIES[:2], ME, going_on=True)
    ((alt, figure),) = live_charts(open_page("sweep", ME)).items()
    assert len(figure["data"]) == 2
    assert "learning rate, batch size and validation accuracy" in alt
    assert "The best of 2 is learning rate 0.002, batch size 64 with 96.12%" in alt
    written = [note["text"] for note in figure["layout"]["annotations"]]
    assert {"0.002", "0.006", "0.02", "64", "256"} <= set(written)
    store.stop_sweep(sweep[0].id, owner_of(ME))


def test_before_its_first_run_it_says_what_it_waits_for(open_page, store):
    running_run(store, SOMEBODY)
    sweep = waiting_sweep(store, ME)
    tab = open_page("sweep", ME, sweep=sweep[0].id)
    assert_one_sentence(notices(tab, "info"), "1 run ahead of yours; starts in")
    ((_, figure),) = live_charts(tab).items()
    assert figure["data"] == []


def test_a_sweep_that_lets_somebody_else_go_first_says_so(open_page, store):
    sweep = waiting_sweep(store, ME)
    running_run(store, "another")
    store.claim_run("worker")
    end_as_shipped(store, store.get(sweep[0].id))
    waiting_run(store, SOMEBODY)
    tab = open_page("sweep", ME)
    assert_one_sentence(notices(tab, "info"), "2 runs ahead of yours; starts in")


def test_its_owner_stops_it_and_keeps_what_is_trained(open_page, store):
    sweep = trained_sweep(store, ACCURACIES[:2], ME, going_on=True)
    tab = open_page("sweep", ME)
    button(tab, "Stop the sweep").click().run()
    states = [run.state for run in store.sweep_runs(sweep[0].id)]
    assert states == [FINISHED, FINISHED, RUNNING, INTERRUPTED, INTERRUPTED, INTERRUPTED]
    assert button(tab, "Stop the sweep").disabled
    end_as_shipped(store, store.get(sweep[2].id), STOPPED)
    tab.run()
    assert_shown(tab, "sweep")
    assert headings(tab) == ["Best on the validation images: learning rate 0.002, batch size 64"]
    assert [row[-1] for row in table_rows(tab)[1:]] == ["done"] * 2 + ["stopped"] + [
        "not trained"
    ] * 3
    assert not button(tab, "Start the sweep").disabled


def test_somebody_else_sees_it_and_cannot_stop_it(open_page, store):
    sweep = trained_sweep(store, ACCURACIES[:2], SOMEBODY, going_on=True)
    tab = open_page("sweep", ME, sweep=sweep[0].id)
    assert_shown(tab, "sweep")
    assert len(table_rows(tab)) == 7
    assert "Stop the sweep" not in buttons(tab)
    assert store.get(sweep[3].id).state == WAITING


# --- when it has ended ---


def test_the_best_is_chosen_on_validation_images_and_its_number_not_oversold(open_page, store):
    tested = (0.99, 0.98, 0.9705, 0.99, 0.99, 0.99)
    sweep = trained_sweep(store, ACCURACIES, SOMEBODY, tested=tested)
    tab = open_page("sweep", ME, sweep=sweep[0].id)
    assert_shown(tab, "sweep")
    assert headings(tab) == ["Best on the validation images: learning rate 0.006, batch size 64"]
    assert metrics(tab) == {"Validation": "97.35%", "Test accuracy": "97.05%"}
    (text,) = [part.value for part in tab.markdown if "interval" in part.value]
    assert "from about 6,000 validation images: 96.91% to 97.73%." in text
    assert "1 other run within it may be just as good." in text
    assert "The best of 6 looks better than it is because it was chosen by this number." in text
    best, second = (sweep[place].config for place in (2, 5))
    assert [row[:2] for row in table_rows(tab)[1:3]] == [
        [str(config.learning_rate), str(config.batch_size)] for config in (best, second)
    ]
    # The test accuracies of the others are not shown: nobody shall choose by them.
    assert "Test" not in str(table_rows(tab))
    found = links(tab)
    assert found["See where the best network is wrong"] == f"run={sweep[2].id}"
    assert found["Compare their curves"].startswith(f"runs={sweep[2].id}")


def test_the_best_settings_are_trained_with_whatever_train_was_left_at(open_page, store):
    sweep = trained_sweep(store, ACCURACIES, SOMEBODY)
    tab = open_page("train", ME, preset="cnn")
    tab.query_params = {"sweep": sweep[0].id}
    tab.switch_page("pages/sweep.py").run()
    tab.button(key="next_step").click().run()
    assert_shown(tab, "train")
    config = sweep[2].config
    assert tab.query_params == config.to_query()
    assert config.learning_rate == PRESETS["classic"].learning_rate
    assert tab.select_slider[0].value == config.batch_size == 64


def test_a_sweep_without_any_network_says_why(open_page, store):
    sweep = waiting_sweep(store, ME)
    store.stop_sweep(sweep[0].id, owner_of(ME))
    tab = open_page("sweep", ME, sweep=sweep[0].id)
    assert_shown(tab, "sweep")
    assert_one_sentence(
        notices(tab, "error"), "No run of this sweep ended with a network. Stopped before it began."
    )


def test_a_sweep_of_which_all_but_one_run_were_deleted_is_still_shown(open_page, store):
    sweep = trained_sweep(store, ACCURACIES, ME)
    for run in sweep[1:]:
        store.delete(run.id, owner_of(ME))
    tab = open_page("sweep", ME, sweep=sweep[0].id)
    assert_shown(tab, "sweep")
    assert len(table_rows(tab)) == 2


@pytest.mark.parametrize("wanted", ["nope", "<script>", "9" * 500])
def test_a_sweep_that_is_not_there_is_said_and_leaves_the_address(wanted, open_page, store):
    finished_run(store, ME)
    tab = open_page("sweep", ME, sweep=wanted)
    assert_shown(tab, "sweep")
    assert_one_sentence(notices(tab, "warning"), "There is no such sweep")
    assert "sweep" not in tab.query_params
    assert faults(tab) == []
