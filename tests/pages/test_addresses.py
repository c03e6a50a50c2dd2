"""Addresses that nobody of good will types: no page has an exception for them, nor repeats them."""

import re

import pytest

from pages.shared.shell import PARAMETERS
from tests.helpers import PROJECT, finished_run
from tests.pages.helpers import PAGES, TITLES, faults

MARK = "<script>alert(1)</script>"
EMPTY = ""
NASTY = [
    EMPTY,
    "x" * 5000,
    "9" * 5000,
    "-1",
    "1e400",
    "nan",
    "\x00",
    "４",
    "²",
    "٣",
    MARK,
    "**bold** [a](https://example.org) :red[x] $x$",
    "'; DROP TABLE runs; --",
    "../../../../etc/passwd",
    "%00%0a",
    "{}",
    "[1, 2]",
    "None",
    "\ud7ff\u202e\U0001f600",
]
# Besides the one that each page opens with.
VIEWS = [
    ("explore", {"show": "A map", "method": "t-SNE"}),
    ("explore", {"show": "At a glance"}),
    ("explore", {"show": "Doubtful labels", "split": "Test"}),
    ("evaluate", {"view": "Digit by digit"}),
    ("evaluate", {"view": "Most confident mistakes"}),
    ("evaluate", {"view": "Confidence"}),
    ("evaluate", {"view": "Compare two", "beside": "classic"}),
    ("draw", {"look": "Layers"}),
]


def views_of(name):
    return [{}, *(view for page, view in VIEWS if page == name)]


def harm(tab, name):
    """What is wrong with a page that should be as with no parameters at all."""
    shown = repr(tab.main) + "".join(part.value for part in tab.html)
    titles = [title.value for title in tab.title]
    return [
        *faults(tab),
        *(f"has the title {title}" for title in titles if title != TITLES[name]),
        *(f"repeats {part}" for part in (MARK, "DROP TABLE") if part in shown),
        *([] if titles else ["has no title"]),
    ]


@pytest.mark.parametrize("name", PAGES)
def test_every_parameter_at_once_may_be_nonsense(open_page, name):
    harmed = {
        value[:50]: harm(open_page(name, **dict.fromkeys(PARAMETERS[name], value)), name)
        for value in NASTY
    }
    assert {value: found for value, found in harmed.items() if found} == {}


@pytest.mark.parametrize("name", PAGES)
def test_each_parameter_alone_may_be_nonsense_or_a_list_of_it(open_page, store, name):
    """Also in views that read parameters which the others do not."""
    finished_run(store)
    harmed = {}
    for view in views_of(name):
        for number, parameter in enumerate(sorted(PARAMETERS[name])):
            if parameter not in view:
                value = NASTY[number % len(NASTY)]
                tab = open_page(name, **view, **{parameter: [value, MARK]})
                harmed[f"{view} {parameter}={value[:50]}"] = harm(tab, name)
    assert {address: found for address, found in harmed.items() if found} == {}


@pytest.mark.parametrize("name", PAGES)
def test_every_parameter_beside_the_view_may_be_empty(open_page, name):
    """As in ``?numbers=``, where a widget that always has a value has none."""
    harmed = {
        str(view): harm(open_page(name, **dict.fromkeys(PARAMETERS[name], EMPTY) | view), name)
        for view in views_of(name)
    }
    assert {view: found for view, found in harmed.items() if found} == {}


def test_an_address_of_no_page_is_the_overview(open_page):
    harmed = {value[:50]: harm(open_page(value), "overview") for value in NASTY}
    assert {value: found for value, found in harmed.items() if found} == {}


@pytest.mark.parametrize("name", PAGES)
def test_parameters_that_no_page_has_are_nobodys(open_page, name):
    unknown = {value[:100] or "empty": value for value in NASTY if value not in ("goto",)}
    assert harm(open_page(name, **unknown), name) == []


@pytest.mark.parametrize("name", PAGES)
def test_parameters_of_other_pages_are_dropped_and_its_own_are_kept(open_page, name):
    every = set.union(*PARAMETERS.values())
    tab = open_page(name, presenter="on", **dict.fromkeys(every, ""))
    assert set(tab.query_params) - PARAMETERS[name] <= {"presenter"}
    assert "presenter" in tab.query_params


def test_what_widgets_hold_in_the_address_is_known_to_their_page():
    """A parameter that is missing in the list would be dropped on arrival."""
    sources = [path.read_text() for path in (PROJECT / "pages").rglob("*.py")]
    bound = {
        name
        for source in sources
        for name in re.findall(r'"(\w+)"(?:, default=\w+)?,\s*bind="query-params"', source)
    }
    assert bound
    assert bound <= set.union(*PARAMETERS.values())
