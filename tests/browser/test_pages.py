"""What a person does with the app, in a real browser against a real server."""

import io
import re

import numpy as np
from PIL import Image

from mnist_core.store import names
from tests import pictures
from tests.browser.server import settled, upload
from tests.extras import needs
from tests.helpers import cut, finished_run, wait_until, write_archive

pytestmark = needs("browser")

# A 7 as strokes on a sheet of side 1.
SEVEN = [(0.2, 0.2), (0.75, 0.2), (0.45, 0.85)]
HEADINGS = {
    "": "Watch a network learn to read handwriting",
    "explore": "Explore the digits",
    "train": "Train a network",
    "sweep": "Try several settings",
    "compare": "Compare runs",
    "evaluate": "Where does the network go wrong?",
    "draw": "Draw a digit",
}


def open_page(page, server, address: str) -> None:
    """Open it and wait until it has been painted whole."""
    page.goto(f"{server.url}/{address}")
    name = address.split("?")[0]
    page.get_by_role("heading", name=HEADINGS[name], level=1).wait_for()
    settled(page)


def assert_no_fault(page) -> None:
    """No error box and no stack trace is on the page."""
    assert page.locator("[data-testid=stException]").count() == 0
    assert page.get_by_text("Something went wrong").count() == 0


def draw(page, points, size=0.8, left=0.1, top=0.1) -> None:
    """One stroke with the mouse; size and place are shares of the canvas."""
    settled(page)
    canvas = page.locator("canvas.upper-canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    at = [
        (
            box["x"] + box["width"] * (left + x * size),
            box["y"] + box["height"] * (top + y * size),
        )
        for x, y in points
    ]
    page.mouse.move(*at[0])
    page.mouse.down()
    for point in at[1:]:
        page.mouse.move(*point, steps=12)
    page.mouse.up()


def prediction(page) -> str:
    return page.get_by_test_id("stMetric").filter(has_text="Prediction").first.inner_text()


def reads(page, digit: str) -> None:
    """Wait until the network's answer is this digit, or "–" for none."""
    wait_until(lambda: re.search(rf"^{digit}$", prediction(page), re.M), timeout=30)


def test_a_seven_drawn_small_in_a_corner_of_a_phone_is_a_seven(server, phone):
    open_page(phone, server, "draw")
    draw(phone, SEVEN, size=0.3, left=0.68, top=0.04)
    reads(phone, "7")
    assert_no_fault(phone)


def test_a_drawing_is_read_kept_cleared_and_undone(server, wide):
    open_page(wide, server, "draw")
    draw(wide, SEVEN)
    reads(wide, "7")
    # It outlives a visit to another page, and so does its answer.
    for name in ("explore", "draw"):
        wide.get_by_role("link", name=name.capitalize()).first.click()
        wide.get_by_role("heading", name=HEADINGS[name]).wait_for()
    reads(wide, "7")
    wide.get_by_role("button", name="Clear").click()
    reads(wide, "–")
    # A 1, and a line through it that makes it none.
    draw(wide, [(0.5, 0.1), (0.5, 0.9)])
    reads(wide, "1")
    draw(wide, [(0.1, 0.15), (0.9, 0.85), (0.9, 0.15), (0.1, 0.85)])
    wait_until(lambda: not re.search(r"^1$", prediction(wide), re.M), timeout=30)
    wide.get_by_role("button", name="Undo").click()
    reads(wide, "1")
    # A hat on the 1 that is still there makes it a 7.
    draw(wide, [(0.02, 0.1), (0.5, 0.1)])
    reads(wide, "7")
    assert_no_fault(wide)


def test_a_page_that_was_chosen_twice_leaves_nothing_behind_on_the_next(server, wide):
    open_page(wide, server, "")
    for name, title in (
        ("Explore", "Explore the digits"),
        ("Evaluate", "Where does the network go wrong?"),
    ) * 2:
        for _ in range(2):
            wide.get_by_role("link", name=name, exact=True).click()
            wide.get_by_role("heading", name=title).wait_for()
            settled(wide)
            assert_no_fault(wide)
            assert "view=" not in wide.url


def photographed_row(sample) -> bytes:
    """A 7, a 1 and a 7 on a sheet of paper, as a JPEG."""
    sheet = np.full((120, 300), 235, np.uint8)
    for left, digit in zip((20, 120, 210), (7, 1, 7), strict=True):
        image = sample.x_test[sample.y_test == digit][0]
        sheet[32:88, left : left + 56] -= np.kron(image, np.ones((2, 2), np.uint8)) // 2
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "JPEG", quality=80)
    return file.getvalue()


def test_a_file_is_read_as_what_it_is_or_refused_with_a_sentence(server, wide, sample):
    open_page(wide, server, "draw")
    wide.get_by_text("Read a test digit or a photograph instead").click()
    upload(wide, "row.jpg", photographed_row(sample))
    reads(wide, "717")
    for name, content, sentence in (
        ("IMG_1.HEIC", pictures.heif(b"heic"), "HEIC pictures cannot be read here"),
        ("letter.pdf", b"%PDF-1.7", "The file is not a PNG, JPEG"),
    ):
        upload(wide, name, content)
        wide.get_by_text(sentence).wait_for()
    # A picture by another name, on its side.
    lying = np.rot90(np.asarray(pictures.seven()))
    upload(wide, "scan.dat", pictures.encode(lying, "BMP"))
    wide.get_by_text(sentence).wait_for(state="detached")
    wide.get_by_role("button", name="Turn").click()
    reads(wide, "7")
    # And what was wrong goes with the next stroke too.
    upload(wide, "letter.pdf", b"%PDF-1.7")
    wide.get_by_text(sentence).wait_for()
    wide.get_by_role("heading", name=HEADINGS["draw"], level=1).scroll_into_view_if_needed()
    draw(wide, [(0.5, 0.1), (0.5, 0.9)])
    reads(wide, "1")
    assert not wide.get_by_text(sentence).is_visible()
    assert_no_fault(wide)


def test_the_network_explains_itself_in_the_browser(server, wide):
    open_page(wide, server, "draw?beside=classic")
    draw(wide, SEVEN)
    wide.locator(".strip img").first.wait_for()
    assert wide.locator(".strip img").count() == 7
    for view, selector in (
        ("Important pixels", ".heat img"),
        ("Nearest digits", ".digits img"),
        ("Layers", ".layer img"),
    ):
        wide.get_by_test_id("stButtonGroup").get_by_text(view, exact=True).click()
        # One column for each of the two networks.
        wait_until(lambda found=selector: wide.locator(found).count() >= 2, timeout=30)
        assert_no_fault(wide)


def test_a_training_moves_its_curves_and_ends_with_a_result(server, phone):
    open_page(phone, server, "train?preset=classic&epochs=12&batch_size=32")
    phone.get_by_role("button", name="Start training").click()
    lengths = set()

    def points_of_batches() -> bool:
        length = phone.evaluate(
            "document.querySelector('.js-plotly-plot')?.data?.[0]?.x?.length ?? 0"
        )
        # Before the first step the curves of the shipped network are still there.
        if length and phone.get_by_text(re.compile(r"^Epoch \d")).count():
            lengths.add(length)
            # A chart that is built anew, and so blinks, would lose the mark.
            phone.evaluate(
                "document.querySelectorAll('.js-plotly-plot').forEach(plot => {"
                " window.charts ??= new Set(); window.charts.add(plot); })"
            )
        return phone.get_by_test_id("stMetric").filter(has_text="Test accuracy").count() > 0

    wait_until(points_of_batches)
    assert len(lengths) >= 2, "the curves moved"
    assert phone.evaluate("window.charts.size") == 3, "each chart was built once"
    result = phone.get_by_test_id("stMetric").filter(has_text="Test accuracy").inner_text()
    assert float(re.search(r"([\d.]+)%", result)[1]) > 80
    assert_no_fault(phone)


# Looks at the charts in every frame the browser paints: was any of them empty, and how often
# did the curve grow?
WATCH = """() => {
  const seen = window.seen = { frames: 0, blank: 0, lengths: new Set(), over: false };
  const look = () => {
    const plots = [...document.querySelectorAll('.js-plotly-plot')];
    if (plots.length && document.body.innerText.match(/Epoch [0-9.]+ of/)) {
      seen.frames += 1;
      if (plots.length < 3 || plots.some(p => !p.querySelector('.scatterlayer .trace path')))
        seen.blank += 1;
      seen.lengths.add(plots[0].data[0].x.length);
    }
    if (!seen.over) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


def test_live_charts_never_blink_and_outlive_a_reload_and_their_owner_alone_can_stop_them(
    server, wide, chromium
):
    open_page(wide, server, "train?preset=classic&epochs=30&batch_size=16&dense=512-512")
    wide.get_by_role("button", name="Start training").click()
    wide.get_by_text(re.compile(r"^Epoch \d")).wait_for(timeout=90_000)
    plot = wide.locator(".js-plotly-plot").first
    # Until the first point arrives these are the curves of an example, with a note that says so.
    wait_until(lambda: not plot.evaluate("p => (p.layout.annotations ?? []).length"))
    wait_until(lambda: plot.evaluate("p => p.data[0].x.length") > 5)
    # What is left when the other line is hidden; without it the chart is empty, and rightly so.
    wait_until(lambda: plot.evaluate("p => p.data[1].x.length") > 0)
    wide.evaluate(WATCH)
    # As a person who zooms in and hides a line.
    box = plot.locator(".nsewdrag").bounding_box()
    wide.mouse.move(box["x"] + 2, box["y"] + 40)
    wide.mouse.down()
    wide.mouse.move(box["x"] + 90, box["y"] + 45, steps=5)
    wide.mouse.up()
    plot.locator(".legendtoggle").first.click()
    wait_until(lambda: plot.evaluate("p => p._fullData[0].visible") == "legendonly")
    zoomed = plot.evaluate("p => p._fullLayout.xaxis.range")
    assert zoomed[1] < 15
    wait_until(lambda: wide.evaluate("window.seen.lengths.size") > 12)
    wide.evaluate("window.seen.over = true")
    seen = wide.evaluate("({frames: window.seen.frames, blank: window.seen.blank})")
    assert seen["frames"] > 30
    assert seen["blank"] == 0
    assert plot.evaluate("p => p._fullLayout.xaxis.range") == zoomed
    assert plot.evaluate("p => p._fullData[0].visible") == "legendonly"
    stop = wide.get_by_role("button", name="Stop", exact=True)
    wide.reload()
    stop.wait_for()
    # Somebody else opens the very same address: they may watch, not stop.
    other = chromium.new_context().new_page()
    other.goto(wide.url)
    other.get_by_role("heading", name=re.compile("^classic · ")).wait_for()
    settled(other)
    assert other.get_by_role("button", name="Stop", exact=True).count() == 0
    other.context.close()
    stop.click()
    wide.get_by_role("heading", name=re.compile("stopped")).wait_for()
    wide.get_by_role("button", name="Resume").wait_for()
    assert_no_fault(wide)


def test_a_sweep_draws_a_line_for_each_run_and_names_the_best(server, phone):
    open_page(phone, server, "sweep")
    # Two of the six, by chance.
    phone.get_by_text("Random subset").click()
    phone.get_by_label("Runs").fill("2")
    phone.get_by_label("Runs").press("Enter")
    phone.get_by_text("2 runs, about").wait_for()
    phone.get_by_role("button", name="Start the sweep").click()
    figure = phone.locator(".js-plotly-plot")
    figure.wait_for()
    phone.evaluate("window.figure = document.querySelector('.js-plotly-plot')")
    lines = set()

    def ended() -> bool:
        lines.add(figure.evaluate("figure => figure.data.length"))
        return phone.get_by_role("heading", name="Best on the validation images").count() > 0

    wait_until(ended)
    settled(phone)
    wait_until(lambda: figure.evaluate("figure => figure.data.length") == 2, timeout=30)
    assert lines >= {0, 1}, "the lines came one after another"
    assert phone.evaluate("window.figure.isConnected"), "the figure was built once"
    assert phone.get_by_role("row").filter(has_text="done").count() == 2
    assert phone.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    phone.get_by_role("button", name="Train with these settings").click()
    phone.get_by_role("heading", name=HEADINGS["train"], level=1).wait_for()
    assert "epochs=2" in phone.url
    assert_no_fault(phone)


def test_a_sweep_is_stopped_by_its_owner_and_seen_by_others(server, wide, chromium):
    open_page(wide, server, "sweep")
    wide.get_by_role("button", name="Start the sweep").click()
    wide.get_by_role("button", name="Stop the sweep").wait_for()
    other = chromium.new_context().new_page()
    open_page(other, server, wide.url.removeprefix(f"{server.url}/"))
    other.get_by_text("of 6 runs done").wait_for()
    assert other.get_by_role("button", name="Stop the sweep").count() == 0
    wide.get_by_role("button", name="Stop the sweep").click()
    wait_until(lambda: wide.get_by_role("button", name="Start the sweep").is_enabled())
    other.get_by_text("of 6 runs done").wait_for(state="detached")
    assert_no_fault(other)
    assert_no_fault(wide)
    other.context.close()


def test_what_was_just_typed_is_trained_stopped_resumed_and_continued(server, wide):
    open_page(wide, server, "train?preset=classic&epochs=20&batch_size=16")
    wide.get_by_text("More settings").click()
    wide.get_by_role("tab", name="Layers").click()
    wide.get_by_role("textbox", name="Dense layers").fill("20")
    # No Enter: the press brings the text along.
    wide.get_by_role("button", name="Start training").click()
    wide.get_by_text(re.compile("dense 20")).first.wait_for()
    wide.get_by_text(re.compile(r"^Epoch [1-9]")).wait_for()
    wide.get_by_role("button", name="Stop").click()
    wide.get_by_role("button", name="Resume").click()
    wide.get_by_role("heading", name=re.compile("finished")).wait_for(timeout=90_000)
    wide.get_by_role("button", name="Continue training").click()
    wide.get_by_text(re.compile(r"^Epoch [0-9.]+ of 24")).wait_for()
    wide.get_by_role("heading", name=re.compile("finished")).wait_for(timeout=90_000)
    assert_no_fault(wide)


def test_a_click_while_the_page_still_arrives_leaves_the_settings_as_they_are(server, phone):
    # Sliders once stood at their lowest values after this.
    for _ in range(2):
        phone.goto(f"{server.url}/train?preset=classic&epochs=17&batch_size=16")
        phone.get_by_role("button", name="Start training").click()
        stop = phone.get_by_role("button", name="Stop")
        stop.wait_for()
        phone.get_by_role("button", name="Change").click()
        slider = phone.get_by_role("slider", name="Epochs")
        assert slider.evaluate("s => s.value ?? s.getAttribute('aria-valuenow')") == "17"
        assert "epochs=17" in phone.url
        assert "learning_rate" not in phone.url
        stop.click()
        stop.wait_for(state="hidden")
    assert_no_fault(phone)


def test_runs_are_compared_and_their_files_downloaded(server, wide):
    open_page(wide, server, "compare?runs=cnn,classic")
    wide.locator(".js-plotly-plot").nth(1).wait_for()
    for run in ("cnn", "classic"):
        wide.locator(".js-plotly-plot .legendtext").get_by_text(run).first.wait_for()
    for label, ending in (("Curves", "csv"), ("Keras script", "py"), ("LiteRT model", "tflite")):
        with wide.expect_download() as started:
            wide.get_by_role("button", name=re.compile(label)).click()
        assert started.value.suggested_filename == f"cnn.{ending}"
        assert started.value.path().stat().st_size > 1000
    assert_no_fault(wide)


# Where the parts of the first chart are, in pixels from its left upper corner.
PARTS = """() => {
  const plot = document.querySelector('.js-plotly-plot'), origin = plot.getBoundingClientRect();
  const box = (selector) => {
    const found = plot.querySelector(selector).getBoundingClientRect();
    return { left: found.left - origin.left, right: found.right - origin.left,
             top: found.top - origin.top, bottom: found.bottom - origin.top };
  };
  return { width: origin.width, height: origin.height, ticks: box('.xtick text'),
           title: box('.xtitle'), legend: box('.legend'), plot: box('.nsewdrag') };
}"""


def test_the_legend_of_compared_runs_has_its_place_below_the_curves(server, runs_of, wide, phone):
    store = runs_of(server)
    # A worker of its own: the server gives one up that does nothing for long.
    runs = [finished_run(store, f"owner-{count}", worker_id="compared") for count in range(6)]
    store.rename(runs[0].id, runs[0].owner, "A name as long as a name may be (40), ok")
    for page in (wide, phone):
        open_page(page, server, f"compare?runs={','.join(run.id for run in runs)}")
        legend = page.locator(".js-plotly-plot .legendtext")
        wait_until(lambda legend=legend: legend.count() == 12, timeout=30)
        parts = page.evaluate(PARTS)
        assert parts["plot"]["right"] - parts["plot"]["left"] > 0.7 * parts["width"]
        assert parts["ticks"]["bottom"] <= parts["title"]["top"] + 4
        assert parts["title"]["bottom"] <= parts["legend"]["top"] + 4
        assert parts["legend"]["left"] >= 0
        assert parts["legend"]["right"] <= parts["width"]
        assert parts["legend"]["bottom"] <= parts["height"] + 1
        assert_no_fault(page)


def test_a_name_that_is_typed_and_sent_at_once_is_the_one_that_is_stored(server, runs_of, wide):
    store = runs_of(server)
    run = finished_run(store, "t" * 40, worker_id="of the named run")
    wide.context.add_cookies([{"name": "mnist_visitor", "value": "t" * 40, "url": server.url}])
    open_page(wide, server, f"compare?run={run.id}")
    box = wide.get_by_role("textbox", name="Name")
    box.fill("By a click")
    wide.get_by_role("button", name="Rename").click()
    wait_until(lambda: store.get(run.id).name == "By a click", timeout=30)
    box.fill("By Enter")
    box.press("Enter")
    wait_until(lambda: store.get(run.id).name == "By Enter", timeout=30)
    # The row of the table says so; then the name is in what is downloaded, too.
    wide.get_by_role("rowheader", name=f"{names.title(store.get(run.id))} (yours)").wait_for()
    settled(wide)
    with wide.expect_download() as started:
        wide.get_by_role("button", name="Keras model (.keras)").click()
    assert started.value.suggested_filename == f"By-Enter-{run.id}.keras"
    assert started.value.path().stat().st_size > 1000
    assert_no_fault(wide)


def test_the_page_changes_over_by_itself_when_mnist_arrives(new_server, wide, tmp_path, sample):
    server = new_server(MNIST_WORKERS="0", KERAS_HOME=str(tmp_path / "keras"))
    open_page(wide, server, "explore")
    notice = wide.get_by_text("Using the 5,000 digits that came with the app")
    notice.wait_for()
    # As the worker does at the end of a download: under another name first, then renamed.
    cache = tmp_path / "keras" / "datasets"
    cache.mkdir(parents=True)
    partial = cache / "partial.npz"
    write_archive(partial, cut(sample, train=200, test=50))
    partial.replace(cache / "mnist.npz")
    notice.wait_for(state="hidden")
    wide.get_by_text("of 2,000 training images").wait_for()
    assert_no_fault(wide)
