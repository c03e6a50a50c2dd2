"""A run from Start to its end on each kind of screen: what is in view, and what stays in place."""

import threading
from contextlib import contextmanager

from mnist_core.shipped import shipped_metrics
from tests.browser.server import settled
from tests.extras import needs
from tests.helpers import add_worker, end_as_shipped, wait_until

pytestmark = needs("browser")

# Width, height, touch, address.
SCREENS = {
    "laptop": (1366, 768, False, ""),
    "phone": (390, 844, True, ""),
    "small-phone": (360, 740, True, ""),
    "projector": (1920, 1080, False, "&presenter=on"),
    "small-projector": (1280, 720, False, "&presenter=on"),
}
WORKER = "worker"
# Adds up how far things move without anybody having pressed anything.
COUNT_SHIFTS = """() => {
  window.shifted = 0;
  new PerformanceObserver(list => list.getEntries().forEach(shift => {
    if (!shift.hadRecentInput) window.shifted += shift.value;
  })).observe({ type: 'layout-shift' });
}"""
# The share of the accuracy chart, its title included, that is in view below the menu.
IN_VIEW = """() => {
  const chart = document.querySelector('.st-key-accuracy-curve .js-plotly-plot');
  const { left, right, bottom } = chart.getBoundingClientRect();
  const title = [...document.querySelectorAll('[data-testid=stMarkdownContainer]')]
    .find(part => part.innerText.startsWith('Accuracy:'));
  const { top } = title.getBoundingClientRect();
  const menu = document.querySelector('[data-testid=stHeader]').getBoundingClientRect().bottom;
  const height = Math.min(bottom, innerHeight) - Math.max(top, menu);
  const width = Math.min(right, innerWidth) - Math.max(left, 0);
  return Math.max(0, height) * Math.max(0, width) / ((bottom - top) * (right - left));
}"""
# Where things begin, from top to bottom.
TOPS = """() => ['.st-key-settings_line', '.st-key-run_state', '.st-key-accuracy-curve',
  '.st-key-run_numbers'].map(part => document.querySelector(part).getBoundingClientRect().top)"""
FITS = """() => {
  const main = document.querySelector('[data-testid=stMain]');
  return main.scrollHeight <= main.clientHeight;
}"""


@contextmanager
def heartbeat(store):
    """The worker lives as long as this."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(0.5):
            store.beat(WORKER, True)

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()


def test_the_accuracy_chart_is_in_view_from_start_to_end_and_nothing_jumps(
    new_server, runs_of, chromium
):
    server = new_server(MNIST_WORKERS="0")
    store = runs_of(server)
    add_worker(store, WORKER)
    with heartbeat(store):
        for name, (width, height, touch, address) in SCREENS.items():
            context = chromium.new_context(
                viewport={"width": width, "height": height}, is_mobile=touch, has_touch=touch
            )
            context.set_default_timeout(30_000)
            page = context.new_page()
            page.goto(f"{server.url}/train?preset=classic{address}")
            page.get_by_role("button", name="Start training").wait_for()
            settled(page)
            train_and_look(page, store, name, presenting=bool(address))
            context.close()


def train_and_look(page, store, name: str, *, presenting: bool) -> None:
    curve = shipped_metrics("classic")
    third = len(curve) // 3
    page.locator(".js-plotly-plot").first.wait_for()
    page.evaluate(COUNT_SHIFTS)
    page.evaluate("window.chart = document.querySelector('.js-plotly-plot')")
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("button", name="Stop", exact=True).wait_for()
    settled(page)
    # The queue shows what to expect.
    assert page.evaluate("chart.innerText.includes('Example: the built-in classic network')"), name

    run = wait_until(lambda: store.claim_run(WORKER))
    store.report(run.id, WORKER, curve[:third])
    points = "window.chart.data[0].x.length"
    page.wait_for_function(f"!chart.innerText.includes('Example') && {points} > {third - 5}")
    assert page.evaluate(IN_VIEW) > 0.95, name
    assert page.evaluate(TOPS) == sorted(page.evaluate(TOPS)), name
    bar = page.get_by_role("progressbar").bounding_box()
    stop = page.get_by_role("button", name="Stop", exact=True).bounding_box()
    assert stop["y"] - 5 < bar["y"] < stop["y"] + stop["height"], "Stop is in the bar's row"
    if presenting:
        assert page.evaluate(FITS), name

    # Who scrolls away is not pulled back.
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop = 0")
    store.report(run.id, WORKER, curve[third:])
    page.wait_for_function(f"{points} > {len(curve) - 5}")
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0, name

    end_as_shipped(store, run)
    page.get_by_role("button", name="Continue training").wait_for()
    settled(page)
    same = "chart.isConnected && chart === document.querySelector('.js-plotly-plot')"
    assert page.evaluate(same), "the chart was built once"
    assert page.evaluate("window.shifted") < 0.1, name
    if presenting:
        assert page.evaluate(FITS), name
    assert not page.get_by_role("slider", name="Epochs").is_visible()
    page.get_by_role("button", name="Change").click()
    page.get_by_role("slider", name="Epochs").wait_for()
