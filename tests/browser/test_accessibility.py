"""Every page in every state: for who cannot see it well, and on the narrowest phone."""

import pytest

from tests.browser.tour import tour
from tests.extras import needs

pytestmark = needs("browser")

WIDE, PHONE = {"width": 1366, "height": 860}, {"width": 360, "height": 740}
# WCAG 2.0 to 2.2, A and AA, and what axe counts as good practice beside them.
ALL = {
    "type": "tag",
    "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
# Those of them that look at colours.
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
# What lies within Streamlit's own widgets and cannot be mended from here: rule, part of the
# place, reason. There is none.
KNOWN: list[tuple[str, str, str]] = []


@pytest.fixture(scope="module")
def everything(tmp_path_factory, sample):
    with tour(tmp_path_factory.mktemp("tour"), sample) as found:
        yield found


@pytest.fixture(scope="module")
def axe():
    from axe_playwright_python.sync_playwright import Axe

    return Axe()


def violations(axe, page, only: dict) -> list[str]:
    """What is serious or critical: the rule, where, and why."""
    if found := look_once(axe, page, only):
        # A colour on its way from one theme to the other is of neither: look again.
        page.wait_for_timeout(1000)
        found = look_once(axe, page, only)
    return found


def look_once(axe, page, only: dict) -> list[str]:
    options = {"runOnly": only, "resultTypes": ["violations"]}
    return [
        f"{found['id']} at {node['target']}: {node['failureSummary']}"
        for found in axe.run(page, options=options).response["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
        if not any(found["id"] == rule and part in str(node["target"]) for rule, part, _ in KNOWN)
    ]


def switch(page, theme: str) -> None:
    """As where a person's computer changes over in the evening."""
    page.emulate_media(color_scheme=theme)
    page.wait_for_function(
        "theme => getComputedStyle(document.querySelector('.stApp')).colorScheme === theme",
        arg=theme,
    )


# What reaches beyond the right edge and cannot be scrolled to by itself, as a table can.
BEYOND = """() => [...document.querySelectorAll('[data-testid=stMain] *')]
  .filter(part => part.getBoundingClientRect().right > innerWidth + 1
    && part.checkVisibility() && part.clientWidth
    && !part.closest('svg, .scroll, [role=tablist], [data-testid=stSlider]'))
  .map(part => part.outerHTML.slice(0, 100))"""


def test_nothing_keeps_anybody_out_and_nothing_overflows(everything, axe, chromium):
    page = chromium.new_context(color_scheme="light").new_page()
    page.set_default_timeout(30_000)
    faults = []
    for state in everything.states:
        page.set_viewport_size(WIDE)
        everything.visit(page, state)
        for device, size in (("wide", WIDE), ("phone", PHONE)):
            page.set_viewport_size(size)
            page.wait_for_function("document.scrollingElement.scrollWidth <= innerWidth")
            faults += [(state.name, device, text) for text in violations(axe, page, ALL)]
        faults += [(state.name, "beyond", part) for part in page.evaluate(BEYOND)]
        # What is built does not depend on the theme: only its colours have to be seen again.
        switch(page, "dark")
        for device, size in (("phone", PHONE), ("wide", WIDE)):
            page.set_viewport_size(size)
            faults += [(state.name, device, text) for text in violations(axe, page, COLOURS)]
        switch(page, "light")
    page.context.close()
    assert not faults, "\n".join(map(str, faults))
