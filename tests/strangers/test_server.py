"""What strangers send to a real server, and what everybody else notices of it: nothing."""

import json
import threading
from contextlib import suppress

import pytest
from streamlit.components.v2.bidi_component.main import _make_trigger_id as trigger_id

from pages.server import uploads
from pages.server.rates import LIMITS, SIGN_IN
from tests.extras import needs
from tests.helpers import PROJECT, wait_until
from tests.strangers.client import BackMsg, ConnectionClosed, Stranger, state
from tests.strangers.conftest import PASSWORD

pytestmark = needs("processes")

REDACTED = "This app has encountered an error. The original error message is redacted"
MEGABYTE = 1_000_000


def type_password(visitor, text):
    box, press = visitor.widgets["teacher_password"], visitor.widgets["Sign in"]
    return visitor.rerun(state(box, string_value=text), state(press, trigger_value=True))


# --- the teacher ---


def test_a_password_in_the_file_of_secrets_counts_from_the_first_session_on(first_page):
    assert "Sign in" in first_page.widgets
    assert PASSWORD not in first_page.texts()


def test_who_signs_in_is_the_teacher_and_nobody_else_is(stranger, server):
    teacher, other = stranger().open("train"), stranger().open("train")
    assert "Sign out" in type_password(teacher, PASSWORD).widgets
    assert "Sign out" not in other.rerun().widgets
    assert PASSWORD not in server.log()


def test_a_session_cannot_be_told_that_it_is_the_teachers(stranger):
    visitor = stranger().open("train")
    for name in ("teacher", "$$ID-0123-teacher", "shell", "visitor"):
        for value in ({"bool_value": True}, {"string_value": "teacher"}, {"json": '"x"'}):
            visitor.rerun(state(name, **value))
            assert "Sign out" not in visitor.widgets


def test_a_header_that_anybody_can_send_gives_no_new_guesses(stranger):
    limit = LIMITS[SIGN_IN]
    for number in range(limit.address.most):
        if number % limit.visitor.most == 0:
            visitor = stranger(**{"X-Forwarded-For": f"203.0.113.{number}"}).open("train")
        type_password(visitor, f"guess {number}")
    last = stranger(**{"X-Forwarded-For": "203.0.113.99"}).open("train")
    assert "too often" in type_password(last, "one more guess").texts()


# --- files ---


def test_files_of_one_session_take_a_bounded_part_of_the_memory(stranger, server):
    visitor = stranger().open("overview")
    content = bytes(9 * MEGABYTE)
    assert [visitor.put(content) for _ in range(3)] == [204, 204, 413]
    assert visitor.put(content, "same") == 413
    assert stranger().open("overview").put(content) == 204, "others have room"


def test_a_file_sent_again_takes_the_place_of_the_one_before(stranger):
    visitor = stranger().open("draw")
    assert [visitor.put(bytes(9 * MEGABYTE), "same") for _ in range(4)] == [204] * 4


def test_long_names_and_many_empty_files_count_as_well(stranger):
    visitor = stranger().open("draw")
    name = "n" * (9 * MEGABYTE)
    answers = [visitor.put(b"", file=name) for _ in range(3)]
    assert set(answers) & {400, 413}


def test_all_sessions_together_have_a_bound_and_give_it_back_when_they_end(server, first_page):
    content = bytes(9 * MEGABYTE)
    visitors, answers = [], []
    while 413 not in answers:
        visitors.append(Stranger(server).open("overview"))
        answers += [visitors[-1].put(content) for _ in range(2)]
        assert len(answers) <= uploads.MOST_ALL / len(content) + 2
    for visitor in visitors:
        visitor.close()


@pytest.mark.parametrize("session", ["", "no-such-session", "../../etc"])
def test_without_a_session_no_file_is_taken(stranger, session):
    visitor = stranger().open("draw")
    visitor.session_id = session
    assert visitor.put(b"x") in (400, 404, 405)


def test_a_file_above_the_limit_is_refused(stranger):
    assert stranger().open("draw").put(bytes(11 * 1024 * 1024)) == 413


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
def test_nobody_writes_to_what_is_served(stranger, method):
    before = sorted((PROJECT / "static").glob("*"))
    assert stranger().request(method, "/app/static/x.html", b"<script>") in (403, 404, 405)
    assert sorted((PROJECT / "static").glob("*")) == before


@pytest.mark.parametrize(
    "path",
    ["/app/static/../runs.db", "/app/static/%2e%2e/dashboard.py", "/app/static/..%2f..%2fetc"],
)
def test_only_what_is_in_static_is_served(stranger, path):
    assert stranger().request("GET", path) in (400, 403, 404)


# --- messages ---


def test_a_flood_of_reruns_does_not_stop_the_others(stranger, server, psutil):
    """Three who send a hundred a second each: without the gate, nobody is answered."""
    flooders, end = [stranger().open("evaluate") for _ in range(3)], threading.Event()

    def flood(flooder):
        message = flooder.message()
        while not end.wait(0.01):
            flooder.send(message)

    def drain(flooder):
        with suppress(ConnectionClosed, TimeoutError):
            flooder.receive_all(5)

    threads = [
        threading.Thread(target=act, args=(flooder,), daemon=True)
        for flooder in flooders
        for act in (flood, drain)
    ]
    for thread in threads:
        thread.start()
    visitor = stranger().open("evaluate")
    for _ in range(20):
        visitor.rerun()
    process = psutil.Process(server.process.pid)
    assert process.num_threads() < 60, "what comes too early starts no thread"
    end.set()


def test_who_is_too_quick_is_shown_the_last_of_what_they_chose(stranger):
    visitor = stranger().open("explore")
    seed = visitor.widgets["explore_seed"]
    for number in range(100):
        visitor.send(visitor.message(state(seed, int_value=number)))
    wait_until(lambda: visitor.receive() and "seed=99" in visitor.query, timeout=30)


def test_nobody_empties_the_caches_of_all(stranger, server, psutil):
    """It would start the pool of workers once more, each time."""
    visitor = stranger().open("train")
    process = psutil.Process(server.process.pid)
    before = process.num_threads()
    for _ in range(5):
        message = BackMsg()
        message.clear_cache = True
        visitor.send(message)
        visitor.rerun()
    assert process.num_threads() <= before + 3


@pytest.mark.parametrize("kind", ["load_git_info", "set_run_on_save", "debug_shutdown_runtime"])
def test_the_developers_menu_is_not_for_strangers(stranger, server, kind):
    visitor = stranger().open("overview")
    message = BackMsg()
    setattr(message, kind, True)
    visitor.send(message)
    visitor.rerun()
    assert "git_info_changed" not in visitor.kinds


@pytest.mark.parametrize("sent", [b"\xff" * 50, "text", bytes(1_500_000), bytes(5_000_000)])
def test_what_is_no_message_ends_the_connection(stranger, sent):
    visitor = stranger().open("overview")
    with pytest.raises(ConnectionClosed):
        visitor.receive_all(5, after=sent)


# --- values that no widget of ours has ---

WRONG = [
    {"double_value": 1e308},
    {"string_value": "<script>alert(1)</script>"},
    {"json": "[["},
    {"string_array_value": ["no such", "x"]},
]


@pytest.mark.parametrize("page", ["explore", "train", "sweep", "compare", "evaluate", "draw"])
def test_a_wrong_value_in_all_widgets_shows_no_fault_of_ours(server, first_page, page):
    for value in WRONG:
        with Stranger(server) as visitor:
            visitor.open(page)
            visitor.rerun(*(state(widget, **value) for widget in {*visitor.widgets.values()}))
            assert_no_fault(visitor)


def assert_no_fault(visitor):
    """Neither a trace, nor what went wrong, nor where."""
    text = visitor.texts()
    assert "Traceback" not in text
    assert "site-packages" not in text
    for element in visitor.elements:
        if element.WhichOneof("type") == "exception":
            # Streamlit's own sentence, before any of ours runs: nothing is told.
            assert element.exception.message.startswith(REDACTED)
            assert not element.exception.stack_trace


def test_a_number_beyond_its_bounds_or_an_option_that_there_is_none_of_is_not_taken(stranger):
    visitor = stranger().open("evaluate", true="4", predicted="9")
    for value in ("10", "-1", "4.5", "\x00", "<b>"):
        visitor.rerun(state(visitor.widgets["true"], string_value=value))
        assert_no_fault(visitor)
        assert f"true={value}" not in visitor.query
    visitor = stranger().open("explore")
    for number in (-1.0, 1e6, 0.5, float("inf"), float("nan")):
        visitor.rerun(state(visitor.widgets["explore_seed"], double_value=number))
        assert_no_fault(visitor)


COMPONENTS = [
    ("draw", {}, "canvas-0"),
    ("explore", {"show": "A%20map"}, "map_pixels"),
    ("evaluate", {}, "heatmap"),
]
VALUES = [
    {"json_data": 5, "image_data_url": 5},
    {"json_data": {"objects": 7}, "image_data_url": "data:;base64,AAAA"},
    {"json_data": {"objects": [1]}, "image_data_url": "no comma"},
]
EVENTS = [
    [5],
    [{"event": "chosen", "value": value} for value in ("x", -1, 10**30, [1], True)],
    [{"event": "lassoed", "value": ["x", -1, 10**30]}],
]


@pytest.mark.parametrize(("page", "query", "key"), COMPONENTS)
def test_a_component_is_sent_what_no_browser_sends(server, first_page, page, query, key):
    with Stranger(server) as visitor:
        widget = visitor.open(page, **query).widgets[key]
        for value in VALUES:
            text = json.dumps(value)
            assert_no_fault(visitor.rerun(state(widget, json=text)))
        for events in EVENTS:
            assert_no_fault(visitor.rerun(state(trigger_id(widget, "events"), events=events)))


# --- ports ---


def test_the_server_listens_on_its_own_port_only(server, first_page, psutil):
    listening = [
        connection.laddr.port
        for process in [
            psutil.Process(server.process.pid),
            *psutil.Process(server.process.pid).children(recursive=True),
        ]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == [server.port]


@pytest.mark.parametrize("page", ["evaluate", "draw"])
def test_after_all_this_somebody_else_finds_all_as_it_should_be(server, first_page, page):
    with Stranger(server) as somebody:
        text = somebody.open(page).texts()
    assert "Something went wrong" not in text
    assert REDACTED not in text
    assert "next_step" in somebody.widgets
