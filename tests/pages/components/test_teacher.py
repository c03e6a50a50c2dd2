"""Who knows the password, who does not, and who tries to find it out."""

import logging

import pytest

from mnist_core.config import PRESETS
from mnist_core.store import names
from mnist_core.store.run import INTERRUPTED
from pages.components import teacher
from pages.server import limits
from pages.server.rates import LIMITS, SIGN_IN
from tests.helpers import finished_run, running_run, waiting_run
from tests.pages.helpers import (
    all_text,
    assert_one_sentence,
    assert_shown,
    button,
    buttons,
    faults,
    sentences,
)

ME = "token-of-this-visitor-0123456789abcdef"
PASSWORD = "correct horse ☂ battery"
WRONG = "That is not the teacher's password."


@pytest.fixture
def with_teacher(monkeypatch):
    monkeypatch.setenv(teacher.VARIABLE, PASSWORD)


@pytest.fixture
def others(store):
    return finished_run(store, "somebody")


def corners(tab) -> list[str]:
    return [box.label for box in tab.expander if box.label == "For the teacher"]


def try_password(tab, text):
    tab.text_input(key=teacher.BOX).input(text)
    return button(tab, "Sign in").click().run()


@pytest.mark.parametrize("name", ["train", "compare"])
@pytest.mark.parametrize("text", [None, "", "ninesigns"])
def test_without_a_long_enough_password_there_is_no_teacher(open_page, monkeypatch, name, text):
    if text is not None:
        monkeypatch.setenv(teacher.VARIABLE, text)
    tab = open_page(name)
    assert_shown(tab, name)
    assert corners(tab) == []
    assert "Sign in" not in buttons(tab)


def test_a_short_password_is_said_once_in_the_log_and_never_shown_there(caplog):
    teacher._warn_once.cache_clear()
    with caplog.at_level(logging.WARNING, logger="pages"):
        for _ in range(3):
            assert teacher.password({teacher.VARIABLE: "ninesigns"}) == ""
    assert len(caplog.records) == 1
    assert teacher.VARIABLE in caplog.text
    assert "ninesigns" not in caplog.text


@pytest.mark.parametrize("name", ["train", "compare"])
def test_the_right_password_signs_in_until_sign_out(open_page, with_teacher, name):
    tab = try_password(open_page(name, ME), PASSWORD)
    assert_shown(tab, name)
    assert corners(tab) == ["For the teacher"]
    button(tab, "Sign out").click().run()
    assert "Sign in" in buttons(tab)
    assert teacher.SIGNED_IN not in tab.session_state


@pytest.mark.parametrize("text", ["", PASSWORD[:-1], PASSWORD + " ", PASSWORD.upper(), "\x00"])
def test_a_wrong_password_is_refused_in_one_sentence(open_page, with_teacher, text):
    tab = try_password(open_page("train", ME), text)
    assert_one_sentence(sentences(tab, "error"), WRONG)
    assert "Sign in" in buttons(tab)
    assert "Sign out" not in buttons(tab)


def test_the_password_is_kept_neither_on_the_page_nor_in_the_address_nor_in_the_log(
    open_page, with_teacher, caplog
):
    tab = open_page("train", ME)
    tab = try_password(tab, "a wrong password")
    tab = try_password(tab, PASSWORD)
    for text in (all_text(tab), str(tab.query_params), caplog.text):
        assert PASSWORD not in text
        assert "a wrong password" not in text
    assert PASSWORD not in repr(tab.session_state)


def test_who_tries_too_often_has_to_wait_even_with_the_right_one(open_page, with_teacher):
    tab = open_page("train", ME)
    for _ in range(LIMITS[SIGN_IN].visitor.most):
        tab = try_password(tab, "a guess")
        assert sentences(tab, "error") == [WRONG]
    tab = try_password(tab, PASSWORD)
    assert_one_sentence(sentences(tab, "error"), "Passwords were tried too often")
    assert "Sign out" not in buttons(tab)


def test_another_cookie_gives_no_new_guesses_to_the_same_address(open_page, with_teacher):
    for number in range(LIMITS[SIGN_IN].address.most):
        limits.check(SIGN_IN, f"visitor {number}")
    tab = try_password(open_page("train", ME), PASSWORD)
    assert_one_sentence(sentences(tab, "error"), "Passwords were tried too often")


def test_another_address_is_not_held_off_by_the_first(monkeypatch, open_page, with_teacher):
    for number in range(LIMITS[SIGN_IN].address.most):
        limits.check(SIGN_IN, f"visitor {number}")
    monkeypatch.setattr(limits, "address", lambda: "another")
    assert "Sign out" in buttons(try_password(open_page("train", ME), PASSWORD))


def test_another_password_on_the_server_signs_everybody_out(
    open_page, with_teacher, monkeypatch, others
):
    tab = try_password(open_page("train", ME), PASSWORD)
    monkeypatch.setenv(teacher.VARIABLE, "quite another password")
    assert "Sign in" in buttons(tab.run())
    monkeypatch.delenv(teacher.VARIABLE)
    assert corners(tab.run()) == []


def test_the_teacher_sees_all_that_waits_and_runs_and_stops_any(open_page, with_teacher, store):
    running, waiting = running_run(store, "one"), waiting_run(store, "two", PRESETS["cnn"])
    titles = names.titles([running, waiting])
    tab = open_page("train", ME)
    assert f"Stop {titles[waiting.id]}" not in buttons(tab)
    tab = try_password(tab, PASSWORD)
    assert_shown(tab, "train")
    button(tab, f"Stop {titles[waiting.id]}").click().run()
    assert store.get(waiting.id).state == INTERRUPTED
    button(tab, f"Stop {titles[running.id]}").click().run()
    assert store.get(running.id).stop_requested
    assert button(tab, f"Stop {titles[running.id]}").disabled
    assert f"Stop {titles[waiting.id]}" not in buttons(tab)


def test_the_teacher_resumes_what_another_visitor_stopped(open_page, with_teacher, store):
    run = waiting_run(store, "somebody")
    store.request_stop(run.id, run.owner)
    tab = try_password(open_page("train", ME, run=run.id), PASSWORD)
    button(tab, "Resume").click().run()
    assert faults(tab) == []
    assert store.get(run.id).active
    assert store.get(run.id).owner == run.owner


def test_the_teacher_renames_keeps_and_deletes_a_run_of_another(
    open_page, with_teacher, store, others
):
    tab = open_page("compare", ME, run=others.id)
    assert "Rename" not in buttons(tab)
    tab = try_password(tab, PASSWORD)
    tab.text_input(key=f"name-{others.id}").input("Not nice before")
    button(tab, "Rename").click().run()
    button(tab, "Keep").click().run()
    assert (store.get(others.id).name, store.get(others.id).pinned) == ("Not nice before", True)
    button(tab, "Delete this run for good").click().run()
    assert_shown(tab, "compare")
    assert others.id not in {run.id for run in store.list_runs()}


def test_a_shipped_run_is_nobodys_to_change(open_page, with_teacher):
    tab = try_password(open_page("compare", ME, run="cnn"), PASSWORD)
    assert "Rename" not in buttons(tab)
    assert "Delete this run for good" not in buttons(tab)


def test_a_page_that_was_open_when_the_teacher_signed_out_changes_nothing(
    open_page, with_teacher, store, others, monkeypatch
):
    """The button is still there in the browser; the store refuses."""
    tab = try_password(open_page("compare", ME, run=others.id), PASSWORD)
    monkeypatch.delenv(teacher.VARIABLE)
    button(tab, "Delete this run for good").click().run()
    assert_one_sentence(sentences(tab, "error"), "Only the person who started a run can do that.")
    assert store.get(others.id) == others
