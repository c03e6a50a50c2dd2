"""The page on which a teacher shows a whole class's runs."""

import dataclasses
import re

import sqlalchemy as sa

from mnist_core.config import PRESETS
from mnist_core.store import engine
from mnist_core.store.names import title
from mnist_core.store.run import INTERRUPTED, owner_of
from mnist_core.store.runs import RunStore
from mnist_core.store.schema import runs
from pages.components import classroom, teacher
from tests.helpers import finished_run, reports, running_run, trained_sweep, waiting_run
from tests.pages.helpers import (
    all_text,
    assert_one_sentence,
    assert_shown,
    button,
    buttons,
    sentences,
)

ME = "token-of-this-visitor-0123456789abcdef"


def lines(tab) -> list[str]:
    """The rows of the table below its header, without their numbers."""
    (table,) = [part.value for part in tab.html if "<table" in part.value]
    rows = re.findall(r"<tr.*?</tr>", table)[1:]
    texts = [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in rows]
    return [re.sub(r"^\d+ ", "", text) for text in texts]


def reported(accuracy: float) -> list:
    *before, last = reports(10)
    return [*before, dataclasses.replace(last, validation_accuracy=accuracy)]


def test_an_hour_without_runs_says_what_to_do(open_page):
    tab = open_page("classroom", ME)
    assert_shown(tab, "classroom")
    assert_one_sentence(sentences(tab, "info"), "Nobody has trained a network in the last hour.")


def test_the_best_comes_first_and_everyone_sees_the_same(open_page, store):
    waiting = waiting_run(store, "third")
    running = running_run(store, "second", reported=reported(0.95))
    finished = finished_run(store, ME, reported=reported(0.97), test_accuracy=0.96)
    store.rename(finished.id, finished.owner, "Ada")
    finished = store.get(finished.id)
    old = finished_run(store, "fourth", reported=reported(0.99))
    with store.database.write() as connection:
        connection.execute(sa.update(runs).where(runs.c.id == old.id).values(created_at=1.0))
    tab = open_page("classroom", ME)
    assert_shown(tab, "classroom")
    assert lines(tab) == [
        f"{title(finished)} (yours) done 97.00% 96.00% 95.6–96.4%",
        f"{title(running)} epoch 2.0 of 8 95.00% –",
        f"{title(waiting)} waiting – –",
    ]
    assert any(
        "**3 runs** in the last hour, **2** waiting or in tr" in t.value for t in tab.markdown
    )
    store.complete(running.id, "worker", "failed", message="It is too late.")
    classroom._of_this_hour.clear()
    other = open_page("classroom", "somebody else")
    assert "(yours)" not in "".join(lines(other))
    assert f"{title(running)} failed 95.00% –" in lines(other)
    assert owner_of(ME) not in all_text(other)
    assert not [label for label in buttons(other) if "Stop" in label]


def test_a_sweep_is_one_line_and_fifty_are_the_most(open_page, store, monkeypatch):
    swept = trained_sweep(store, (0.93, 0.96, 0.94))
    finished_run(store, "other", PRESETS["quick"], reported=reported(0.8))
    assert lines(open_page("classroom"))[0].startswith(f"{title(swept[1])} · best of 6 in a sweep")
    monkeypatch.setattr(classroom, "MOST_ROWS", 1)
    tab = open_page("classroom")
    assert len(lines(tab)) == 1
    assert any("**7 runs** in the last hour" in text.value for text in tab.markdown)
    assert any("The first 1 are shown" in text.value for text in tab.markdown)


def test_thirty_who_look_on_cost_one_query_a_second(open_page, store, monkeypatch):
    waiting_run(store)
    assert len(lines(open_page("classroom"))) == 1
    asked = []
    monkeypatch.setattr(RunStore, "trials_since", lambda store, since: asked.append(since) or [])
    classroom._of_this_hour.clear()
    for _ in range(30):
        classroom._of_this_hour(engine.database_url())
    assert len(asked) == 1


def test_the_teacher_stops_a_run_here_too(open_page, store, monkeypatch):
    monkeypatch.setenv(teacher.VARIABLE, "a password for a class")
    run = waiting_run(store)
    tab = open_page("classroom", ME)
    tab.text_input(key=teacher.BOX).input("a password for a class")
    button(tab, "Sign in").click().run()
    button(tab, f"Stop {title(run)}").click().run()
    assert store.get(run.id).state == INTERRUPTED
