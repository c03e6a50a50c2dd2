"""What holds on every page: the entrance, the data notice, a database that is away, faults."""

import dataclasses
import logging
import sqlite3

import pytest
from streamlit.testing.v1 import AppTest

from mnist_core import data, shipped
from mnist_core.analysis import maps
from mnist_core.analysis import metrics as metrics_module
from mnist_core.classifier import Classifier
from mnist_core.errors import DownloadFailed
from mnist_core.plots import html
from mnist_core.store import engine
from mnist_core.store.queue import DOWNLOAD
from mnist_core.store.run import ACTIVE, FAILED
from mnist_core.store.runs import RunStore
from pages.shared import cache, shell
from tests.helpers import (
    PROJECT,
    add_worker,
    finished_run,
    reports,
    running_run,
    waiting_run,
    write_archive,
)
from tests.pages.helpers import (
    GENERAL,
    ONE,
    PAGES,
    TITLES,
    all_text,
    alternative_texts,
    assert_one_sentence,
    assert_shown,
    button,
    buttons,
    faults,
    hold,
    metrics,
    sentences,
    table_rows,
    visit,
)

WITH_NOTICE = ("overview", "explore", "train", "evaluate")
SAMPLE = "Using the 5,000 digits that came with the app, of MNIST's 70,000."
OFFLINE = "No internet connection; using the 5,000 digits that came with the app."


# --- the entrance ---


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_with_an_empty_database_and_the_bundled_sample(open_page, name):
    tab = open_page(name)
    assert_shown(tab, name)
    assert sentences(tab, "error", "warning") == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_with_runs_of_every_state(open_page, store, name):
    finished_run(store)
    finished_run(store, state="failed", message="The loss is no longer a number.")
    running_run(store)
    waiting_run(store, "another")
    assert_shown(open_page(name), name)


def test_the_menu_leads_from_page_to_page_and_back(open_page):
    tab = open_page("overview")
    for name in (*PAGES[1:], *reversed(PAGES[:-1])):
        assert_shown(visit(tab, name), name)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opened_directly_on_a_fresh_server_gets_its_menu_and_address(name):
    tab = AppTest.from_file(PROJECT / "dashboard.py", default_timeout=30)
    tab.query_params = {"run": "classic"}
    tab.switch_page(f"pages/{name}.py").run()
    assert_shown(tab, name)
    assert tab.session_state["shell"], "it came in through the dashboard"
    assert ("run" in tab.query_params) == ("run" in shell.PARAMETERS[name])
    assert "goto" not in tab.query_params


@pytest.mark.parametrize("goto", ["nowhere", "", "shared", "../etc/passwd"])
def test_an_address_of_no_page_shows_the_overview(open_page, goto):
    tab = open_page(goto)
    assert_shown(tab, "overview")
    assert "goto" not in tab.query_params


@pytest.mark.parametrize(
    ("name", "following"),
    [("overview", "draw"), ("explore", "train"), ("train", "evaluate"), ("evaluate", "draw")],
)
def test_the_button_at_the_end_leads_to_the_next_step(open_page, name, following):
    tab = open_page(name)
    tab.button(key="next_step").click().run()
    assert_shown(tab, following)


# --- the data notice ---


@pytest.mark.parametrize("name", WITH_NOTICE)
def test_the_sample_is_named_where_it_is_shown(open_page, name):
    assert [text for text in sentences(open_page(name)) if text.startswith(SAMPLE)] == [SAMPLE]


@pytest.mark.parametrize("name", WITH_NOTICE)
def test_a_server_that_may_train_asks_for_the_download_by_itself(open_page, store, may_train, name):
    tab = open_page(name)
    assert store.download().state == "waiting"
    assert any("this page will update automatically." in text for text in sentences(tab))
    assert_shown(tab, name)


def test_a_server_that_does_not_train_asks_for_no_download(open_page, store):
    tab = open_page("overview")
    assert store.download() is None
    assert "downloaded" not in "".join(sentences(tab))


def test_a_running_download_is_said_and_offers_no_second_one(open_page, store, may_train):
    store.request_download()
    assert store.claim(add_worker(store), DOWNLOAD)
    tab = open_page("explore")
    assert any("until all 70,000 (11 MB) are downloaded" in text for text in sentences(tab, "info"))
    assert "Try again" not in buttons(tab)
    assert store.download().state == "running"


def fail_download(store, message: str = DownloadFailed.NO_INTERNET) -> None:
    store.request_download()
    store.end(store.claim(add_worker(store), DOWNLOAD), FAILED, message)


@pytest.mark.parametrize("name", WITH_NOTICE)
def test_without_internet_one_line_says_so_and_the_download_can_be_tried_again(
    open_page, store, may_train, name
):
    fail_download(store)
    tab = open_page(name)
    assert_shown(tab, name)
    assert sentences(tab).count(OFFLINE) == 1
    assert "internet" not in all_text(tab).replace(OFFLINE, "")
    button(tab, "Try again").click().run()
    assert store.download().state == "waiting"
    tab.run()
    assert OFFLINE not in sentences(tab)


# What an older version stored, among others.
@pytest.mark.parametrize(
    "message",
    [
        DownloadFailed.FAILED,
        "MNIST could not be downloaded ([Errno -2] Name or service not known). Check the network "
        "and try again, or set MNIST_DATA to an mnist.npz you have.",
    ],
)
def test_a_download_that_failed_otherwise_is_said_without_its_reason(
    open_page, store, may_train, message
):
    fail_download(store, message)
    tab = open_page("explore")
    (notice,) = sentences(tab)
    assert notice.startswith(
        "The whole of MNIST could not be downloaded; using the 5,000 digits that came with the app"
    )
    assert not any(part in all_text(tab) for part in ("Errno", "MNIST_DATA"))


def test_a_dismissed_line_does_not_come_back_in_this_session(open_page, store, may_train):
    fail_download(store)
    tab = open_page("explore")
    button(tab, "Dismiss").click().run()
    for name in WITH_NOTICE:
        visit(tab, name)
        assert OFFLINE not in sentences(tab)
        assert not {"Try again", "Dismiss"} & set(buttons(tab))
    assert OFFLINE in sentences(open_page("explore")), "another visitor is told"


def test_a_failed_download_is_not_asked_for_again_by_itself(open_page, store, may_train):
    fail_download(store)
    open_page("overview").run()
    assert store.download().state == "failed"


def test_the_page_changes_over_once_the_download_is_there(open_page, tiny_dataset, may_train):
    tab = open_page("overview")
    assert metrics(tab)["Digits here"] == "5,000"
    write_archive(data.keras_cache(), tiny_dataset)
    tab.run()
    assert metrics(tab)["Digits here"] == "500"
    assert sentences(tab) == []


@pytest.mark.parametrize("name", WITH_NOTICE)
def test_a_file_of_mnist_needs_no_notice(open_page, full_data, name):
    tab = open_page(name)
    assert_shown(tab, name)
    assert SAMPLE not in "".join(sentences(tab))
    assert sentences(tab, "warning", "error") == []


UNUSED = "The server's data file mine.npz cannot be used (its log says why); using "


@pytest.mark.parametrize("name", WITH_NOTICE)
def test_a_data_file_that_does_not_exist_is_named_and_the_sample_shown(
    open_page, monkeypatch, caplog, name
):
    monkeypatch.setenv("MNIST_DATA", "/nowhere/mine.npz")
    tab = open_page(name)
    assert_shown(tab, name)
    assert UNUSED + "the 5,000 digits that came with the app." in sentences(tab)
    assert not any(part in all_text(tab) for part in ("MNIST_DATA", "/nowhere"))
    assert "MNIST_DATA names /nowhere/mine.npz, which does not exist" in caplog.text


@pytest.mark.parametrize("content", [b"", b"<html>no network</html>", b"PK\x03\x04 cut short"])
def test_a_broken_data_file_is_named_and_the_sample_shown(
    open_page, monkeypatch, tmp_path, caplog, content
):
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    monkeypatch.setenv("MNIST_DATA", str(path))
    tab = open_page("overview")
    assert_shown(tab, "overview")
    assert metrics(tab)["Digits here"] == "5,000"
    assert sentences(tab) == [UNUSED + "the 5,000 digits that came with the app."]
    assert str(path) in caplog.text


def unreadable(monkeypatch, path) -> None:
    """As where another person's file may be seen but not read; the tests may run as root."""
    read = data.read

    def read_others(wanted):
        if wanted == path:
            raise PermissionError(13, "Permission denied")
        return read(wanted)

    path.write_bytes(b"not for you")
    monkeypatch.setattr(data, "read", read_others)
    monkeypatch.setenv("MNIST_DATA", str(path))


def test_a_data_file_that_may_not_be_read_is_named_and_the_sample_shown(
    open_page, monkeypatch, tmp_path, caplog
):
    unreadable(monkeypatch, tmp_path / "mine.npz")
    tab = open_page("explore")
    assert_shown(tab, "explore")
    assert sentences(tab) == [UNUSED + "the 5,000 digits that came with the app."]
    assert "mine.npz cannot be read (Permission denied)" in caplog.text


def test_a_missing_data_file_is_said_though_the_cache_has_mnist(
    open_page, monkeypatch, tiny_dataset
):
    monkeypatch.setenv("MNIST_DATA", "/nowhere/mine.npz")
    write_archive(data.keras_cache(), tiny_dataset)
    tab = open_page("overview")
    assert metrics(tab)["Digits here"] == "500"
    assert sentences(tab) == [UNUSED + "the MNIST found elsewhere."]
    button(tab, "Dismiss").click().run()
    assert sentences(visit(tab, "explore")) == []


# --- a database that is away ---


def make_newer(path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


AWAY = {
    "in use": "in use by another program; try again in a moment.",
    "read-only": "is read-only, so nothing new can be stored",
    "newer": "was written by a newer version of this app",
    "not a database": "is not a database; move it away",
    "no folder": "cannot be opened; check that its folder exists",
    "nonsense": "is not a database address that works here",
}


@pytest.fixture(params=list(AWAY))
def database_away(request, monkeypatch, tmp_path, store):
    """A database nothing can be done with; part of the sentence that says so."""
    path = tmp_path / "away.db"
    urls = {
        "read-only": f"sqlite:///file:{path}?mode=ro&uri=true",
        "newer": f"sqlite:///{tmp_path / 'runs.db'}",
        "no folder": f"sqlite:///{tmp_path / 'no' / 'runs.db'}",
        "nonsense": "nonsense",
    }
    monkeypatch.setenv("MNIST_DATABASE_URL", urls.get(request.param, f"sqlite:///{path}"))
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    other = hold(path) if request.param == "in use" else None
    if request.param == "read-only":
        path.touch()
    if request.param == "newer":
        make_newer(tmp_path / "runs.db")
    if request.param == "not a database":
        path.write_bytes(b"my homework " * 500)
    yield AWAY[request.param]
    if other:
        other.close()


def test_without_a_database_the_data_can_be_explored(open_page, database_away):
    tab = open_page("explore")
    assert_shown(tab, "explore")
    assert_one_sentence(sentences(tab), database_away)
    assert len(alternative_texts(tab)) == 50


def test_without_a_database_the_overview_shows_the_shipped_networks(open_page, database_away):
    tab = open_page("overview")
    assert_shown(tab, "overview")
    assert database_away in " ".join(sentences(tab, "warning"))
    assert metrics(tab)["Digits here"] == "5,000"


def test_without_a_database_the_shipped_networks_can_be_evaluated(open_page, database_away):
    tab = open_page("evaluate", run="classic", view="Digit by digit")
    assert_shown(tab, "evaluate")
    assert_one_sentence(sentences(tab, "warning"), database_away)
    assert sentences(tab, "error") == []
    assert "built-in networks are shown" in sentences(tab, "warning")[0]
    assert len(table_rows(tab)) == 11


def test_without_a_database_the_shipped_networks_read_drawings(open_page, database_away, canvas):
    tab = open_page("draw", run="classic")
    canvas.draw(ONE)
    tab.run()
    assert_shown(tab, "draw")
    assert_one_sentence(sentences(tab), database_away)
    assert metrics(tab)["Prediction"] == "1"


def test_without_a_database_train_says_so_and_offers_no_start(open_page, database_away):
    tab = open_page("train")
    assert [title.value for title in tab.title] == [TITLES["train"]]
    assert faults(tab) == []
    assert_one_sentence(sentences(tab, "error"), database_away)
    assert "Start training" not in buttons(tab)


def test_a_database_that_comes_back_is_used_again(open_page, monkeypatch, tmp_path):
    path = tmp_path / "later.db"
    monkeypatch.setenv("MNIST_DATABASE_URL", f"sqlite:///{path}")
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    other = hold(path)
    tab = open_page("train")
    assert sentences(tab, "error")
    other.close()
    tab.run()
    assert sentences(tab, "error") == []
    assert "Start training" in buttons(tab)


@pytest.mark.parametrize("name", PAGES)
def test_a_database_that_may_only_be_read_shows_what_is_in_it(
    open_page, store, monkeypatch, tmp_path, may_train, name
):
    finished_run(store)
    monkeypatch.setenv(
        "MNIST_DATABASE_URL", f"sqlite:///file:{tmp_path / 'runs.db'}?mode=ro&uri=true"
    )
    assert_shown(open_page(name), name)


@pytest.mark.parametrize("name", PAGES)
def test_a_database_another_program_writes_to_can_be_looked_at(
    open_page, store, monkeypatch, tmp_path, name
):
    run = finished_run(store)
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    other = hold(tmp_path / "runs.db")
    tab = open_page(name, run=run.id) if name != "overview" else open_page(name)
    other.close()
    assert_shown(tab, name)
    assert sentences(tab, "error", "warning") == []


# --- what nobody foresaw ---


def fail(*arguments, **options):
    raise RuntimeError("a secret of the server")


@pytest.mark.parametrize(
    ("name", "owner", "function"),
    [
        ("overview", html, "digit_grid"),
        ("explore", maps, "sprite"),
        ("explore", data, "sample_indices"),
        ("train", shipped, "shipped_metrics"),
        ("evaluate", metrics_module, "cell_images"),
        ("evaluate", metrics_module, "wilson_interval"),
        ("draw", Classifier, "predict_proba"),
    ],
)
def test_a_bug_is_one_general_sentence_for_the_visitor_and_a_trace_for_the_log(
    open_page, canvas, monkeypatch, caplog, name, owner, function
):
    tab = open_page(name, run="classic") if name != "overview" else open_page(name)
    if name == "draw":
        canvas.draw(ONE)
    monkeypatch.setattr(owner, function, fail)
    with caplog.at_level(logging.ERROR, "pages"):
        tab.run()
    assert len(tab.exception) == 0
    assert_one_sentence(sentences(tab, "error"), GENERAL)
    assert "secret" not in all_text(tab)
    assert "Traceback" not in all_text(tab)
    assert "a secret of the server" in caplog.text
    assert [title.value for title in tab.title] == [TITLES[name]], "the rest of the page is there"


def test_a_page_works_again_once_the_bug_is_gone(open_page, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(maps, "sprite", fail)
        tab = open_page("explore")
        assert sentences(tab, "error")
    tab.run()
    assert_shown(tab, "explore")


# --- the visitor ---


def test_a_new_visitor_gets_a_secret_of_their_own(open_page):
    tokens = {open_page("train").session_state["visitor"] for _ in range(3)}
    assert len(tokens) == 3
    assert all(len(token) >= 32 for token in tokens)


def test_the_secret_is_remembered_by_the_browser_and_shown_nowhere(open_page):
    tab = open_page("train")
    token = tab.session_state["visitor"]
    (cookie,) = [
        part.proto
        for part in tab.get("bidi_component")
        if part.proto.component_name == "keep_cookie"
    ]
    assert token in str(cookie)
    shown = "".join(
        element.value for kind in ("markdown", "html") for element in getattr(tab, kind)
    )
    assert token not in shown + "".join(sentences(tab)) + str(tab.query_params)
    known = open_page("train", token="known").get("bidi_component")
    assert "keep_cookie" not in {part.proto.component_name for part in known}


# --- what is kept for all ---


def test_curves_that_change_all_the_time_push_no_heatmap_out():
    from pages.shared import figures

    made = []

    def heatmap() -> str:
        made.append("heatmap")
        return "heatmap"

    figures.cached_for_all(("confusion", "cnn"), heatmap)
    for number in range(200):
        figures.cached_for_all(("accuracy_curves", number), lambda: "x" * 100_000)
    figures.cached_for_all(("confusion", "cnn"), heatmap)
    assert made == ["heatmap"]


def test_who_moved_the_file_of_runs_is_told_and_new_runs_are_stored(open_page, store, tmp_path):
    finished_run(store)
    open_page("train")
    (tmp_path / "runs.db").rename(tmp_path / "elsewhere.db")
    button(open_page("train"), "Start training").click().run()
    tab = open_page("train")
    assert any("was moved or deleted while the app was running" in text for text in sentences(tab))
    assert len(store.list_runs()) == 1


def test_after_a_backup_was_restored_nothing_of_before_is_shown(store, tmp_path):
    run = running_run(store, steps=5)
    path, backup = tmp_path / "runs.db", tmp_path / "backup.db"
    with sqlite3.connect(path) as original, sqlite3.connect(backup) as copy:
        original.backup(copy)
    original.close()
    copy.close()
    store.report(run.id, "worker", reports(7, first=6))
    assert len(cache.watch(run.id)[1]) == 12
    backup.replace(path)
    # The first look notices it.
    cache.watch(run.id)
    assert len(cache.watch(run.id)[1]) == 5
    # Continued from there, its network may be stored for the second time a second time.
    trained = finished_run(store, "other")
    again = dataclasses.replace(trained, train_seconds=1.234567)
    assert cache.state_of(again)[:3] == cache.state_of(trained)[:3]
    assert cache.state_of(again) != cache.state_of(trained)


def test_what_is_ahead_and_how_long_it_takes_is_one_look_at_the_queue(store, monkeypatch):
    _, last = waiting_run(store, "one"), waiting_run(store, "two")
    asked = []
    list_runs = RunStore.list_runs

    def counted(store, **which):
        asked.append(which)
        return list_runs(store, **which)

    monkeypatch.setattr(RunStore, "list_runs", counted)
    assert cache.seconds_until_turn(cache.runs_ahead_of(last)) > 0
    assert asked.count({"states": ACTIVE}) == 1
