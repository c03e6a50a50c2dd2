"""What a visitor is told who does too much, and who else is told the same."""

import dataclasses
import types

import pytest

from mnist_core import rates, runs
from mnist_core.rates import LIMITS, PICTURE, STUDY, TRAIN, Rate
from pages import limits, messages, uploads
from tests.helpers import finished_run
from tests.pages.helpers import ONE, assert_one_sentence, button, pen_stroke, png, sentences

ME = "token-of-this-visitor-0123456789abcdef"


@pytest.fixture
def few(monkeypatch):
    """One of everything for each visitor."""
    for name, limit in LIMITS.items():
        changed = dataclasses.replace(limit, visitor=Rate(1, limit.visitor.seconds))
        monkeypatch.setitem(rates.LIMITS, name, changed)


def test_who_starts_too_many_runs_is_told_when_to_try_again(open_page, store, few):
    limits.check(TRAIN, runs.owner_of(ME))
    tab = open_page("train", ME)
    button(tab, "Start training").click().run()
    assert_one_sentence(sentences(tab, "error"), "Runs were started too often")
    assert "try again in" in sentences(tab, "error")[0]
    assert store.list_runs() == []


def test_who_renames_too_often_is_told_so(open_page, store, few):
    run = finished_run(store, ME)
    tab = open_page("compare", ME, run=run.id)
    for name in ("First", "Second"):
        tab.text_input(key=f"name-{run.id}").input(name)
        button(tab, "Rename").click().run()
    assert_one_sentence(sentences(tab, "error"), "Runs were changed too often")
    assert store.get(run.id).name == "First"


def test_who_sends_too_many_pictures_is_told_so(open_page, few):
    limits.check(PICTURE, runs.owner_of(ME))
    tab = open_page("draw", ME)
    picture = png(pen_stroke(ONE)[..., 0])
    tab.file_uploader(key="upload0").upload("one.png", picture, "image/png").run()
    assert_one_sentence(sentences(tab, "error"), "Pictures were sent too often")


def test_who_asks_for_too_many_maps_is_told_so_and_sees_another(open_page, few, may_train):
    limits.check(STUDY, runs.owner_of(ME))
    tab = open_page("explore", ME, show="A map", method="t-SNE")
    assert any("Maps were asked for too often" in text for text in sentences(tab, "warning"))


def test_a_full_share_of_the_queue_is_told_to_that_address_only(open_page, store, monkeypatch):
    monkeypatch.setattr(runs, "MOST_ACTIVE_EACH_ADDRESS", 1)
    button(open_page("train", "first" * 8), "Start training").click().run()
    tab = open_page("train", ME)
    button(tab, "Start training").click().run()
    assert_one_sentence(sentences(tab, "error"), "Your network has as many runs")
    monkeypatch.setattr(limits, "address", lambda: "elsewhere")
    button(tab, "Start training").click().run()
    assert sentences(tab, "error") == []
    assert len(store.list_runs()) == 2


# --- addresses ---


def test_an_address_is_a_hash_that_only_this_process_can_make(monkeypatch):
    before = limits.network("203.0.113.7")
    assert "203" not in before
    assert limits.network("203.0.113.7") == before
    assert limits.network("203.0.113.8") != before
    monkeypatch.setattr(limits, "HASH_KEY", bytes(32))
    assert limits.network("203.0.113.7") != before


def test_a_household_is_one_address(monkeypatch):
    assert limits.network("2001:db8:1:2::7") == limits.network("2001:db8:1:2:ffff::1")
    assert limits.network("2001:db8:1:2::7") != limits.network("2001:db8:1:3::7")
    assert limits.network("::ffff:203.0.113.7") == limits.network("203.0.113.7")


@pytest.mark.parametrize("text", ["", "unknown", "<b>", "1.2.3", "1" * 5000])
def test_who_has_no_address_is_one_with_all_who_have_none(text):
    assert limits.network(text) == ""


def test_runs_that_have_left_the_queue_are_forgotten(store):
    origins = limits.Origins()
    for number in range(5):
        run = store.submit(runs.TrainConfig(), runs.owner_of(f"visitor {number}"))
        origins.remember([run], "here", store)
        assert origins.of("here") == {run.id}
        assert origins.of("elsewhere") == set()
        store.request_stop(run.id, run.owner)


# --- before Streamlit ---


def message(kind="rerun_script", number=0, auto=False):
    rerun = types.SimpleNamespace(is_auto_rerun=auto)
    return types.SimpleNamespace(WhichOneof=lambda _: kind, number=number, rerun_script=rerun)


@pytest.fixture
def gate(monkeypatch):
    """A gate whose postponed messages are delivered when the test says so."""
    handled, later = [], []
    loop = types.SimpleNamespace(call_later=lambda _, *what: later.append(what))
    monkeypatch.setattr(messages.asyncio, "get_running_loop", lambda: loop)
    made = messages.Gate(lambda session, one, client: handled.append((session, one.number)))
    return types.SimpleNamespace(send=made, handled=handled, later=later)


def test_of_too_many_messages_the_last_is_handled_later(gate):
    for number in range(200):
        gate.send("one", message(number=number))
    assert [number for _, number in gate.handled] == list(range(messages.RATE.most))
    gate.send("another", message(number=7))
    assert gate.handled[-1] == ("another", 7), "others do not wait"
    ((deliver, session),) = gate.later
    gate.send._rates = rates.Rates()  # two seconds later
    deliver(session)
    assert gate.handled[-1] == ("one", 199)


def test_a_look_at_a_live_chart_takes_no_click_away(gate):
    for number in range(messages.RATE.most + 1):
        gate.send("one", message(number=number))
    gate.send("one", message(number=99, auto=True))
    ((deliver, session),) = gate.later
    gate.send._rates = rates.Rates()
    deliver(session)
    assert gate.handled[-1] == ("one", messages.RATE.most)


@pytest.mark.parametrize("kind", ["clear_cache", "set_run_on_save", "load_git_info", None])
def test_what_is_for_developers_is_not_handled(gate, kind):
    gate.send("one", message(kind))
    assert gate.handled == []


def test_gates_are_put_up_once():
    manager = types.SimpleNamespace(file_storage={}, add_file=lambda *_: None)
    runtime = types.SimpleNamespace(uploaded_file_mgr=manager, handle_backmsg=lambda *_: None)
    for _ in range(3):
        messages.guard(runtime)
        uploads.guard(runtime)
        first = (runtime.handle_backmsg, manager.add_file)
    messages.guard(runtime)
    uploads.guard(runtime)
    assert (runtime.handle_backmsg, manager.add_file) == first


def test_a_session_forgets_what_it_could_take_back_before_it_takes_too_much(open_page, monkeypatch):
    from pages import canvas

    sheets = [(number, bytes(100_000)) for number in range(90)]
    assert sum(len(picture) for _, picture in canvas._fitting(sheets)) <= canvas.MOST_BYTES_OF_UNDO
    assert canvas._fitting(sheets)[-1] == sheets[-1]
    small = [(number, b"x") for number in range(500)]
    assert canvas._fitting(small) == small[-canvas.MOST_UNDO :]
