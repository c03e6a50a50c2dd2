"""Addresses that nobody of good will types: no page has an exception for them, nor repeats them."""

import pytest

from mnist_core.config import ADDRESS_FIELDS
from tests.helpers import finished_run
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
# Each page's own parameters; views of which some parameters are read by one only.
PARAMETERS = {
    "overview": ["run"],
    "explore": [
        "show",
        "split",
        "count",
        "seed",
        "digits",
        "method",
        "image",
        "beside",
        "run",
        "number",
    ],
    "train": ["run", "preset", *ADDRESS_FIELDS],
    "sweep": ["sweep"],
    "compare": ["run", "runs", "sort", "turned", "over"],
    "evaluate": [
        "run",
        "view",
        "true",
        "predicted",
        "numbers",
        "mistakes",
        "order",
        "which",
        "image",
        "beside",
    ],
    "draw": ["run", "beside", "look", "figure"],
}
VIEWS = [
    *((page, {}) for page in PAGES),
    ("explore", {"show": "A map", "method": "t-SNE"}),
    ("explore", {"show": "At a glance"}),
    ("explore", {"show": "Doubtful labels", "split": "Test"}),
    ("evaluate", {"view": "Digit by digit"}),
    ("evaluate", {"view": "Surest mistakes"}),
    ("evaluate", {"view": "Confidence"}),
    ("evaluate", {"view": "Beside another", "beside": "classic"}),
    ("draw", {"look": "Layers"}),
]


def assert_unharmed(tab, name):
    assert faults(tab) == []
    assert [title.value for title in tab.title] == [TITLES[name]]
    shown = repr(tab.main) + "".join(part.value for part in tab.html)
    assert MARK not in shown
    assert "DROP TABLE" not in shown


@pytest.mark.parametrize("place", range(len(NASTY)))
@pytest.mark.parametrize("name", PAGES)
def test_every_parameter_at_once_may_be_nonsense(open_page, name, place):
    assert_unharmed(open_page(name, **dict.fromkeys(PARAMETERS[name], NASTY[place])), name)


@pytest.mark.parametrize(("name", "view"), VIEWS)
def test_each_parameter_alone_may_be_nonsense_or_a_list_of_it(open_page, store, name, view):
    finished_run(store)
    for number, parameter in enumerate(PARAMETERS[name]):
        if parameter not in view:
            value = NASTY[number % len(NASTY)]
            assert_unharmed(open_page(name, **view, **{parameter: [value, MARK]}), name)


@pytest.mark.parametrize(("name", "view"), VIEWS)
def test_every_parameter_beside_the_view_may_be_empty(open_page, name, view):
    """As in ``?numbers=``, where a widget that always has a value has none."""
    assert_unharmed(open_page(name, **dict.fromkeys(PARAMETERS[name], EMPTY) | view), name)


@pytest.mark.parametrize("value", NASTY)
def test_an_address_of_no_page_is_the_overview(open_page, value):
    assert_unharmed(open_page(value), "overview")


@pytest.mark.parametrize("name", PAGES)
def test_parameters_that_no_page_has_are_nobodys(open_page, name):
    unknown = {value[:100] or "empty": value for value in NASTY if value not in ("goto",)}
    assert_unharmed(open_page(name, **unknown), name)
