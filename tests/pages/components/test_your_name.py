"""The name that a visitor gives their runs."""

from urllib.parse import quote

import pytest

from mnist_core.store.names import title
from tests.pages.helpers import (
    assert_one_sentence,
    button,
    components,
    headings,
    sentences,
    visit,
)

ME = "token-of-this-visitor-0123456789abcdef"
SAMPLE = "Using the 5,000 digits that came with the app"


def box(tab):
    return tab.text_input(key="your_name")


def kept(tab) -> list[str]:
    """What the browser is told to keep in the cookie of the name."""
    told = components(tab, "keep_cookie").values()
    return [cookie["text"] for cookie in told if cookie["name"] == "mnist_name"]


@pytest.fixture
def with_cookie(monkeypatch):
    """Let browsers send this cookie when they connect."""

    def with_cookie(text: str) -> None:
        cookies = property(lambda context: {"mnist_name": text})
        monkeypatch.setattr("streamlit.runtime.context.ContextProxy.cookies", cookies)

    return with_cookie


def test_a_run_is_stored_under_the_name_and_the_next_page_knows_it(open_page, store):
    tab = open_page("train", ME)
    assert box(tab).value == ""
    assert kept(tab) == []
    box(tab).set_value("Éva")
    button(tab, "Start training").click().run()
    (run,) = store.list_runs()
    assert run.name == "Éva"
    assert headings(tab) == [title(run)]
    assert title(run).startswith("Éva · classic · ")
    assert kept(tab) == [quote("Éva")]
    assert box(visit(visit(tab, "draw"), "sweep")).value == "Éva"


def test_after_a_reload_the_cookie_tells_the_name(open_page, store, with_cookie):
    with_cookie(quote("Éva (2)"))
    tab = open_page("train", ME)
    assert box(tab).value == "Éva (2)"
    assert kept(tab) == []
    box(tab).set_value("").run()
    assert kept(tab) == [""]


@pytest.mark.parametrize("text", ["<b>x</b>", "%00", "%ff%fe", "x" * 5000, quote("😀"), "- list"])
def test_a_cookie_that_holds_no_name_is_ignored(open_page, with_cookie, text):
    with_cookie(text)
    assert box(open_page("train", ME)).value == ""


def test_a_name_that_is_none_is_refused_with_a_sentence_and_nothing_is_started(open_page, store):
    tab = open_page("train", ME)
    box(tab).set_value("<b>Ada</b>")
    button(tab, "Start training").click().run()
    assert_one_sentence(sentences(tab, "error"), "A name has at most 40 letters, digits, spaces")
    assert store.list_runs() == []
    box(tab).set_value("Ada")
    button(tab, "Start training").click().run()
    assert [run.name for run in store.list_runs()] == ["Ada"]
