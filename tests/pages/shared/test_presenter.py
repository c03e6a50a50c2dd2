import re

import pytest

from mnist_core.errors import StoreUnavailable
from pages.shared import links
from tests.pages.helpers import (
    PAGES,
    assert_one_sentence,
    assert_shown,
    button,
    buttons,
    live_charts,
    sentences,
    visit,
)

WAY_OUT = "Leave presenter mode"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_can_be_presented_and_says_so_in_its_address(open_page, page):
    tab = open_page(page, presenter="on")
    assert_shown(tab, page)
    assert WAY_OUT in buttons(tab)
    assert "on" in tab.query_params["presenter"]


def test_without_it_in_the_address_there_is_nothing_to_leave(open_page):
    assert WAY_OUT not in buttons(open_page("train"))


def test_it_stays_on_from_page_to_page_until_it_is_left(open_page):
    tab = open_page("explore", presenter="on")
    visit(tab, "evaluate")
    assert "on" in tab.query_params["presenter"]
    button(tab, WAY_OUT).click().run()
    assert WAY_OUT not in buttons(tab)
    assert "presenter" not in tab.query_params
    assert WAY_OUT not in buttons(visit(tab, "train"))


@pytest.mark.parametrize("value", ["off", "1", "On", ""])
def test_another_value_is_told_of_and_changes_nothing(open_page, value):
    tab = open_page("explore", presenter=value)
    assert WAY_OUT not in buttons(tab)
    if value:
        (warning,) = sentences(tab, "warning")
        assert "presenter" in warning


def test_a_setting_of_a_link_counts_though_it_is_hidden(open_page):
    tab = open_page("train", presenter="on", preset="quick", epochs="3")
    assert "quick" in tab.query_params["preset"]
    assert "3" in tab.query_params["epochs"]
    assert "Start training" in buttons(tab)


def test_curves_are_larger_for_a_class(open_page):
    def height(**query):
        return next(iter(live_charts(open_page("train", **query)).values()))["layout"]["height"]

    assert height(presenter="on") > 1.2 * height()


def share(tab):
    """The addresses and sentences of the dialog."""
    button(tab, "Share").click().run()
    (dialog,) = tab.get("dialog")
    texts = [part.value for part in dialog.get("html")]
    return [re.findall("<p>(.*)</p>", text)[0] for text in texts if "<p>" in text], dialog


@pytest.fixture
def in_network(monkeypatch):
    """The server's computer has this address in its network."""
    monkeypatch.setattr(links, "in_network", lambda root: "http://192.168.1.20:8501")


def test_a_page_as_it_opens_is_shared_by_its_own_address(open_page, in_network):
    (address,), dialog = share(open_page("draw", presenter="on"))
    assert address == "192.168.1.20:8501/draw" or "?go=" in address
    assert 'alt="QR code' in "".join(part.value for part in dialog.get("html"))


def test_a_shared_address_shows_others_the_same_page_but_not_in_presenter_mode(
    open_page, in_network
):
    tab = open_page("explore", presenter="on", digits=["3", "5"], count="25")
    (address,), _ = share(tab)
    root, code = address.split("/?go=")
    assert root == "192.168.1.20:8501"
    assert len(address) < 40
    student = open_page("overview", go=code.lower())
    assert_shown(student, "explore")
    assert [*student.query_params["digits"]] == ["3", "5"]
    assert "25" in student.query_params["count"]
    assert WAY_OUT not in buttons(student)


def test_an_unknown_short_address_says_so_on_the_overview(open_page):
    tab = open_page("overview", go="ACDEF")
    assert_shown(tab, "overview")
    assert_one_sentence(sentences(tab, "warning"), "short address")


def test_where_nobody_can_reach_the_server_sharing_says_what_to_do(open_page, monkeypatch):
    monkeypatch.setattr(links, "in_network", lambda root: None)
    tab = open_page("draw", presenter="on")
    assert share(tab)[0] == []
    assert_one_sentence(sentences(tab, "warning"), "in no network")


def test_without_a_database_the_long_address_is_shared(open_page, in_network, monkeypatch):
    tab = open_page("explore", presenter="on", count="25")

    def fail(*_):
        raise StoreUnavailable("The database is locked.")

    monkeypatch.setattr(links, "shorten", fail)
    (address,), _ = share(tab)
    assert address.startswith("192.168.1.20:8501/explore?")
    assert "count=25" in address
