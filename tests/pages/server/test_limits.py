"""What a visitor is told who does too much, and who else is told the same."""

import dataclasses
import types

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from mnist_core.config import PRESETS, TrainConfig
from mnist_core.errors import NotAllowed
from mnist_core.store import quotas
from mnist_core.store.run import ACTIVE, owner_of
from pages.server import limits, messages, rates, uploads
from pages.server.rates import LIMITS, PICTURE, STUDY, TRAIN, Rate
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
    limits.check(TRAIN, owner_of(ME))
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
    limits.check(PICTURE, owner_of(ME))
    tab = open_page("draw", ME)
    picture = png(pen_stroke(ONE)[..., 0])
    tab.file_uploader(key="upload0").upload("one.png", picture, "image/png").run()
    assert_one_sentence(sentences(tab, "error"), "Pictures were sent too often")


def test_who_asks_for_too_many_maps_is_told_so_and_sees_another(open_page, few, may_train):
    limits.check(STUDY, owner_of(ME))
    tab = open_page("explore", ME, show="A map", method="t-SNE")
    assert any("Maps were asked for too often" in text for text in sentences(tab, "warning"))


def test_a_full_share_of_the_queue_is_told_to_that_address_only(open_page, store, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_ACTIVE_EACH_ADDRESS", 1)
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
        run = store.submit(TrainConfig(), owner_of(f"visitor {number}"))
        origins.remember([run], "here", store)
        assert origins.of("here") == {run.id}
        assert origins.of("elsewhere") == set()
        store.request_stop(run.id, run.owner)


# --- a class behind one address ---


def settings_of_a_sweep() -> list[TrainConfig]:
    """As many as the page suggests."""
    return [dataclasses.replace(PRESETS["classic"], seed=seed) for seed in range(6)]


def test_thirty_students_behind_one_address_each_train_and_sweep_and_ten_more_come(store):
    for student in range(30):
        limits.submit(store, PRESETS["classic"], owner_of(f"student {student}"))
        runs = limits.submit_sweep(store, settings_of_a_sweep(), owner_of(f"student {student}"))
        assert len(runs) == 6
    for visitor in range(10):
        limits.submit(store, PRESETS["classic"], owner_of(f"visitor {visitor}"))
    assert len(store.list_runs(states=ACTIVE)) == 30 * (1 + 6) + 10


def test_refused_requests_cost_nothing(store):
    run = limits.submit(store, PRESETS["classic"], owner_of(ME))
    limits.submit_sweep(store, settings_of_a_sweep(), owner_of(ME))
    # Each more often than even everybody together may.
    for _ in range(LIMITS[TRAIN].everybody.most):
        with pytest.raises(NotAllowed, match="You have a run in training already"):
            limits.submit(store, PRESETS["classic"], owner_of(ME))
        with pytest.raises(NotAllowed, match="You have a sweep in training already"):
            limits.submit_sweep(store, settings_of_a_sweep(), owner_of(ME))
        with pytest.raises(NotAllowed, match="Only the person who started"):
            limits.resume(store, run.id, owner_of("other"), owner_of("other"), 1)
    limits.submit(store, PRESETS["classic"], owner_of("other"))
    store.request_stop(run.id, owner_of(ME))
    assert limits.submit(store, PRESETS["classic"], owner_of(ME)).id != run.id


# --- before Streamlit ---


def rerun(fragment="", auto=False, page="", **values):
    """What a browser sends: the values of its widgets by their ids; a click is ``True``."""
    message = BackMsg()
    state = message.rerun_script
    state.fragment_id, state.is_auto_rerun, state.page_script_hash = fragment, auto, page
    for widget_id, value in values.items():
        if value is True:
            state.widget_states.widgets.add(id=widget_id, trigger_value=True)
        else:
            state.widget_states.widgets.add(id=widget_id, int_value=value)
    return message


def file_request(name, size=0):
    message = BackMsg()
    message.file_urls_request.request_id = name
    message.file_urls_request.file_names.append("n" * size)
    return message


def stop_script():
    return BackMsg(stop_script=True)


class Browser:
    """One session behind a gate, whose clock the test sets."""

    def __init__(self):
        self.now = 0.0
        self.handled = []
        self._timers = []
        self.gate = messages.Gate(
            lambda session, message, client: self.handled.append((session, message, client)),
            rates.Rates(clock=lambda: self.now),
            lambda seconds, function, *arguments: self._timers.append(
                (self.now + seconds, function, arguments)
            ),
        )

    def send(self, *sent, session="one", client=None):
        for message in sent:
            self.gate(session, message, client=client)

    def exhaust(self):
        """Send as much as is handled at once, and forget it."""
        self.send(*[rerun() for _ in range(messages.RATE.most)])
        self.handled.clear()

    def wait(self, seconds):
        """Let time go by, and what is due happen; the messages that were handled."""
        self.now += seconds
        due = [timer for timer in self._timers if timer[0] <= self.now]
        self._timers = [timer for timer in self._timers if timer[0] > self.now]
        for _, function, arguments in due:
            function(*arguments)
        return [message for _, message, _ in self.handled]

    @property
    def waiting(self):
        return self.gate.waiting.get("one", [])


@pytest.fixture
def browser():
    return Browser()


def widgets(message):
    """The widgets' values by their ids."""
    states = message.rerun_script.widget_states.widgets
    return {state.id: getattr(state, state.WhichOneof("value")) for state in states}


def clicks(handled, button):
    """How often Streamlit was told of a click on this button."""
    reruns = [one for one in handled if one.WhichOneof("type") == "rerun_script"]
    return sum(widgets(one).get(button) is True for one in reruns)


def test_a_click_arrives_once_whatever_is_sent_after_it(browser):
    browser.exhaust()
    browser.send(rerun(stop=True, epochs=3))
    for number in range(200):
        browser.send(rerun(epochs=number), file_request(f"file {number}"))
    handled = browser.wait(2)
    assert clicks(handled, "stop") == 1
    (last,) = [one for one in handled if one.WhichOneof("type") == "rerun_script"]
    assert widgets(last) == {"stop": True, "epochs": 199}, "values are the latest"
    browser.wait(60)
    assert clicks([one for _, one, _ in browser.handled], "stop") == 1


def test_a_click_survives_a_message_of_another_kind(browser):
    for other in (file_request("a"), stop_script(), rerun(page="another", epochs=1)):
        browser.exhaust()
        browser.send(rerun(stop=True), other)
        assert clicks(browser.wait(2), "stop") == 1
        browser.wait(60)


def test_clicks_on_two_buttons_both_arrive(browser):
    browser.exhaust()
    browser.send(rerun(stop=True), rerun(save=True, epochs=1))
    (handled,) = browser.wait(2)
    assert widgets(handled) == {"stop": True, "save": True, "epochs": 1}


def test_requests_for_files_are_all_answered_in_their_order(browser):
    browser.exhaust()
    names = [f"file {number}" for number in range(messages.MOST_WAITING)]
    browser.send(*map(file_request, names), rerun(epochs=1), stop_script(), rerun(epochs=2))
    for _ in range(3):
        handled = browser.wait(2)
    answered = [one.file_urls_request.request_id for one in handled[: len(names)]]
    assert answered == names
    assert [one.WhichOneof("type") for one in handled[len(names) :]] == [
        "stop_script",
        "rerun_script",
    ]
    assert widgets(handled[-1]) == {"epochs": 2}


def test_a_part_of_a_page_is_rerun_alone_and_two_parts_with_their_page(browser):
    for sent, fragment in (
        ([rerun("chart", stop=True), rerun("chart")], "chart"),
        ([rerun("chart", stop=True), rerun("queue")], ""),
        ([rerun("chart", stop=True), rerun()], ""),
        ([rerun(stop=True), rerun("chart")], ""),
    ):
        browser.exhaust()
        browser.send(*sent)
        (handled,) = browser.wait(2)
        assert handled.rerun_script.fragment_id == fragment
        assert clicks([handled], "stop") == 1
        browser.wait(60)


def test_the_page_that_was_opened_last_is_shown(browser):
    browser.exhaust()
    browser.send(rerun(page="train", stop=True), rerun(page="draw"))
    (handled,) = browser.wait(2)
    assert handled.rerun_script.page_script_hash == "draw"


def test_what_comes_too_early_goes_on_as_the_rate_allows(browser):
    browser.send(*[rerun(number=number) for number in range(200)])
    assert len(browser.handled) == messages.RATE.most
    browser.send(rerun(number=7), session="another")
    assert browser.handled[-1][0] == "another", "others do not wait"
    for _ in range(20):
        browser.wait(0.1)
    assert [widgets(one)["number"] for _, one, _ in browser.handled[-1:]] == [199]
    assert len(browser.handled) == messages.RATE.most + 2


def test_a_browser_that_connected_again_is_answered(browser):
    browser.exhaust()
    browser.send(rerun(stop=True), client="old")
    browser.send(rerun(), client="new")
    browser.wait(2)
    ((_, handled, client),) = browser.handled
    assert client == "new"
    assert clicks([handled], "stop") == 1


def test_a_live_chart_that_asks_too_often_costs_nothing(browser):
    browser.exhaust()
    browser.send(rerun("chart", auto=True))
    assert browser.wait(2) == []
    browser.exhaust()
    browser.send(rerun(stop=True), rerun("chart", auto=True))
    (handled,) = browser.wait(2)
    assert clicks([handled], "stop") == 1
    assert not handled.rerun_script.is_auto_rerun


def test_a_flood_takes_a_bounded_part_of_the_memory(browser):
    browser.exhaust()
    for number in range(100):
        browser.send(
            file_request(str(number), 500_000),
            stop_script(),
            rerun(**{f"{place}-of-{number}-{'x' * 300}": True for place in range(300)}),
        )
        assert len(browser.waiting) <= messages.MOST_WAITING + 2
        held = sum(message.ByteSize() for message, _ in browser.waiting)
        assert held <= 2 * messages.MOST_WAITING_BYTES
    for _ in range(100):
        browser.wait(2)
    assert browser.waiting == []


def test_what_waits_goes_on_after_a_message_that_fails(browser):
    def fail(*arguments, **options):
        raise RuntimeError("the server stops")

    browser.exhaust()
    browser.send(file_request("a"), rerun(stop=True))
    handle, browser.gate.handle = browser.gate.handle, fail
    with pytest.raises(RuntimeError):
        browser.wait(2)
    browser.gate.handle = handle
    assert clicks(browser.wait(0), "stop") == 1


@pytest.mark.parametrize("kind", ["clear_cache", "set_run_on_save", "load_git_info", None])
def test_what_is_for_developers_is_not_handled(browser, kind):
    browser.send(BackMsg(**{kind: True} if kind else {}))
    assert browser.handled == []


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
