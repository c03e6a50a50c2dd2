"""Every page in every state: for people who cannot see it well, and on the narrowest phone."""

from contextlib import suppress

import pytest

from tests.browser.tour import at_rest, paint, tour
from tests.extras import needs

pytestmark = needs("browser")

WIDE, PHONE = {"width": 1366, "height": 860}, {"width": 360, "height": 740}
INVALID_LINK = "The link has invalid values"
# WCAG 2.0 to 2.2, A and AA, and axe's best practices.
ALL = {
    "type": "tag",
    "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
# The rules among them that depend on colours, and on places and sizes.
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
SIZES = {"type": "rule", "values": ["target-size", "scrollable-region-focusable", "meta-viewport"]}
# Faults of Streamlit's own widgets that cannot be fixed here: rule, part of the target, reason.
# There is none.
KNOWN: list[tuple[str, str, str]] = []


@pytest.fixture(scope="module")
def everything(tmp_path_factory, sample):
    with tour(tmp_path_factory.mktemp("tour"), sample) as found:
        yield found


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, which each page has to load."""
    from axe_playwright_python.sync_playwright import Axe

    return Axe().axe_script


def violations(page, only: dict) -> list[str]:
    """What is serious or critical: the rule, where, and why."""
    if found := look_once(page, only):
        # A training that goes on may just have changed the page: look again at rest.
        at_rest(page)
        found = look_once(page, only)
    return found


def look_once(page, only: dict) -> list[str]:
    # Loading style sheets and media again ("preload") is for rules that do not apply here.
    options = {"runOnly": only, "resultTypes": ["violations"], "preload": False}
    run = "options => axe.run(options).then(results => results.violations)"
    return [
        f"{found['id']} at {node['target']}: {node['failureSummary']}"
        for found in page.evaluate(run, options)
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
        if not any(found["id"] == rule and part in str(node["target"]) for rule, part, _ in KNOWN)
    ]


# What reaches beyond the right edge, except where it can be scrolled, as in a table.
BEYOND = """() => [...document.querySelectorAll('[data-testid=stMain] *')]
  .filter(part => part.getBoundingClientRect().right > innerWidth + 1
    && part.checkVisibility() && part.clientWidth
    && !part.closest('svg, .scroll, [role=tablist], [data-testid=stSlider]'))
  .map(part => part.outerHTML.slice(0, 100))"""


def beyond(page) -> list[str]:
    """What does, once charts have had the time to become narrower."""
    from playwright.sync_api import TimeoutError

    with suppress(TimeoutError):
        page.wait_for_function(f"() => !({BEYOND})().length", timeout=5000)
    return page.evaluate(BEYOND)


def test_nothing_keeps_anybody_out_and_nothing_overflows(everything, axe, chromium):
    page = chromium.new_context().new_page()
    page.set_default_timeout(30_000)
    faults = []
    for state in everything.states:
        page.set_viewport_size(WIDE)
        everything.visit(page, state)
        page.evaluate(axe)
        if page.get_by_text(INVALID_LINK).count() and state.name != "address-wrong":
            faults.append((state.name, "address", "is not understood"))
        # A scheme changes nothing but colours, and a screen nothing but places and sizes.
        for scheme, only in (("light", ALL), ("dark", COLOURS), ("forced", COLOURS)):
            paint(page, scheme)
            faults += [(state.name, scheme, text) for text in violations(page, only)]
        paint(page, "light")
        page.set_viewport_size(PHONE)
        page.wait_for_function("document.scrollingElement.scrollWidth <= innerWidth")
        faults += [(state.name, "phone", text) for text in violations(page, SIZES)]
        faults += [(state.name, "beyond", part) for part in beyond(page)]
    page.context.close()
    assert not faults, "\n".join(map(str, faults))
