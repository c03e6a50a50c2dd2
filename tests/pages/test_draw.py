import struct
import zlib

import numpy as np
import pytest

from mnist_core import drawing
from mnist_core.drawing.benchmark import drawing_benchmark
from pages.components.strokes import PENS, from_canvas, picture_of
from pages.shared import cache
from tests import pictures
from tests.helpers import finished_run, running_run
from tests.pages.helpers import (
    ONE,
    SEVEN,
    alternative_texts,
    assert_one_sentence,
    assert_shown,
    button,
    buttons,
    components,
    metrics,
    pen_stroke,
    png,
    send,
    sentences,
    stroke_through,
    visit,
)

NOTHING = "–"
# What helps the canvas in the browser.
HELPER = "canvas_helper"
WHITE = np.full((320, 320, 4), 255, np.uint8)


def prediction(tab) -> str:
    return metrics(tab)["Prediction"]


def source(tab) -> list[str]:
    """What the page says it has read."""
    return [text.value for text in tab.caption if "as the network sees it" in text.value]


def reader(tab):
    (box,) = [box for box in tab.selectbox if box.label == "Network"]
    return box


def upload(tab, name: str, content: bytes) -> None:
    (uploader,) = tab.get("file_uploader")
    uploader.upload(name, content, "image/png").run()


@pytest.fixture
def tab(open_page):
    """The page, with the small shipped network."""
    return open_page("draw", run="classic")


def test_before_anything_is_drawn_it_says_what_to_do(tab):
    assert_shown(tab, "draw")
    assert sentences(tab) == []
    assert prediction(tab) == NOTHING
    assert any("Draw a digit of any size, anywhere" in text.value for text in tab.markdown)
    assert {"Clear", "Use a test digit"} <= set(buttons(tab))


@pytest.mark.parametrize("size", [0.8, 0.3])
def test_a_drawn_seven_is_read_as_a_seven(tab, canvas, size):
    canvas.draw(SEVEN, size=size)
    tab.run()
    assert_shown(tab, "draw")
    assert prediction(tab) == "7"
    assert source(tab) == ["Your drawing, as the network sees it"]
    assert alternative_texts(tab)[0] == "The 28 by 28 pixels the network was given"
    assert any("7 is likeliest at" in part.value for part in tab.html)


def test_a_changed_drawing_has_another_answer(tab, canvas):
    canvas.draw(SEVEN)
    tab.run()
    canvas.draw(ONE)
    tab.run()
    assert prediction(tab) == "1"


def test_the_canvas_does_not_start_anew_while_somebody_draws(tab, canvas):
    before = canvas.options
    canvas.draw(SEVEN)
    tab.run()
    tab.run()
    assert canvas.options == before


def test_an_empty_sheet_has_no_answer(tab, canvas):
    canvas.report([])
    tab.run()
    assert_shown(tab, "draw")
    assert prediction(tab) == NOTHING


def test_clear_empties_the_canvas_and_the_answer(tab, canvas):
    canvas.draw(SEVEN)
    tab.run()
    sheet = canvas.options["key"]
    button(tab, "Clear").click().run()
    assert prediction(tab) == NOTHING
    assert canvas.options["key"] != sheet
    assert canvas.start() == []
    canvas.draw(ONE)
    tab.run()
    assert prediction(tab) == "1"


def test_a_test_digit_is_read_without_drawing(tab):
    button(tab, "Use a test digit").click().run()
    assert_shown(tab, "draw")
    assert prediction(tab) in set("0123456789")
    (text,) = source(tab)
    assert text.startswith("Test image ")
    assert ", labelled " in text


def test_a_test_digit_replaces_the_drawing(tab, canvas):
    canvas.draw(SEVEN)
    tab.run()
    button(tab, "Use a test digit").click().run()
    assert source(tab)[0].startswith("Test image ")
    assert canvas.start() == []
    tab.run()
    assert source(tab)[0].startswith("Test image ")


def test_the_drawing_and_its_answer_outlive_a_visit_to_another_page(tab, canvas):
    canvas.draw(SEVEN)
    tab.run()
    visit(tab, "explore")
    canvas.close()
    visit(tab, "draw")
    assert_shown(tab, "draw")
    assert prediction(tab) == "7"
    assert canvas.start() == [stroke_through(SEVEN)]


def test_a_test_digit_outlives_a_visit_to_another_page(tab, canvas):
    button(tab, "Use a test digit").click().run()
    before = source(tab)
    visit(tab, "explore")
    canvas.close()
    visit(tab, "draw")
    assert source(tab) == before


def test_two_visitors_do_not_see_each_others_drawings(open_page, canvas):
    first = open_page("draw", run="classic")
    canvas.draw(SEVEN)
    first.run()
    canvas.close()
    second = open_page("draw", run="classic")
    assert prediction(second) == NOTHING
    assert canvas.start() == []


def test_a_network_trained_here_can_read_it(open_page, store, canvas):
    run = finished_run(store)
    tab = open_page("draw", run=run.id)
    canvas.draw(SEVEN)
    tab.run()
    assert sentences(tab) == []
    assert reader(tab).value == run.id
    assert prediction(tab) == "7"


def test_the_drawing_stays_when_another_network_reads_it(open_page, store, canvas):
    run = finished_run(store)
    tab = open_page("draw", run="classic")
    canvas.draw(SEVEN)
    tab.run()
    reader(tab).select(run.id).run()
    assert tab.query_params["run"] == run.id
    assert prediction(tab) == "7"


@pytest.mark.parametrize("wanted", ["nope", "<b>", "../classic"])
def test_a_run_that_is_not_there_is_said_and_another_reads(open_page, canvas, wanted):
    tab = open_page("draw", run=wanted)
    canvas.draw(ONE)
    assert_shown(tab, "draw")
    assert_one_sentence(sentences(tab), "names a run that has no network here")
    tab.run()
    assert prediction(tab) == "1"


def test_a_run_that_is_still_training_cannot_read(open_page, store):
    run = running_run(store)
    tab = open_page("draw", run=run.id)
    assert_shown(tab, "draw")
    assert_one_sentence(sentences(tab), "names a run that has no network here")


# --- sure, not sure, no digit ---


def verdict(tab) -> str:
    """What is said under the prediction."""
    return next(metric.delta for metric in tab.metric if metric.label == "Prediction")


def test_a_clear_digit_is_given_with_how_sure_the_network_is(tab, canvas):
    canvas.draw(SEVEN)
    tab.run()
    assert verdict(tab).endswith("% sure")


def test_when_in_doubt_it_says_so_and_names_its_two_best_guesses(tab, canvas, monkeypatch):
    doubts = cache.Calibration(sure_from=1.1, digit_from=0.0)
    monkeypatch.setattr(cache, "calibration", lambda run: doubts)
    canvas.draw(SEVEN)
    tab.run()
    assert prediction(tab) == "7"
    assert verdict(tab).startswith("not sure: 7 or ")


# Not drawn like the scribbles that the networks were trained on.
NO_DIGITS = {
    "star": [(0.5, 0), (0.8, 0.95), (0.0, 0.35), (1, 0.35), (0.2, 0.95), (0.5, 0)],
    "zigzag": [(0, 0.2), (0.1, 0.8), (0.25, 0.1), (0.4, 0.9), (0.6, 0.1), (0.8, 0.9), (1, 0.2)],
    "house": [(0, 1), (0, 0.4), (0.5, 0), (1, 0.4), (1, 1), (0, 1), (1, 0.4), (0, 0.4), (1, 1)],
}


@pytest.mark.parametrize("name", NO_DIGITS)
def test_what_is_no_digit_is_not_taken_for_one(open_page, canvas, name):
    tab = open_page("draw", run="cnn")
    canvas.draw(NO_DIGITS[name])
    tab.run()
    assert_shown(tab, "draw")
    assert verdict(tab) == "no digit"
    assert prediction(tab) == NOTHING
    assert any("does not look like a digit" in text.value for text in tab.markdown)


def test_an_older_run_without_calibration_can_still_read(open_page, store, canvas):
    run = finished_run(store)
    tab = open_page("draw", run=run.id)
    canvas.draw(SEVEN)
    tab.run()
    assert verdict(tab).endswith("% sure")


# --- undo, pens, two networks ---


def test_undo_takes_the_last_stroke_back_and_reads_what_is_left(tab, canvas):
    canvas.draw(ONE)
    tab.run()
    canvas.draw(ONE, SEVEN)
    tab.run()
    assert prediction(tab) == "7"
    sheet = canvas.options["key"]
    button(tab, "Undo").click().run()
    assert_shown(tab, "draw")
    assert prediction(tab) == "1"
    assert canvas.options["key"] != sheet, "the browser keeps no stroke that was undone"
    assert canvas.start() == [stroke_through(ONE)]


def test_undo_of_the_only_stroke_leaves_an_empty_sheet(tab, canvas):
    canvas.draw(SEVEN)
    tab.run()
    button(tab, "Undo").click().run()
    assert prediction(tab) == NOTHING
    assert canvas.start() == []


def test_of_strokes_reported_together_undo_takes_one_back(tab, canvas):
    canvas.draw(ONE, SEVEN, SEVEN)
    tab.run()
    for left in ([ONE, SEVEN], [ONE], []):
        button(tab, "Undo").click().run()
        assert canvas.start() == [stroke_through(points) for points in left]
    assert prediction(tab) == NOTHING


def test_what_the_browser_kept_through_a_reload_is_on_the_sheet_again(open_page, canvas):
    tab = open_page("draw", run="classic")
    assert components(tab, HELPER)[HELPER]["first"]
    send(tab, HELPER, kept=[stroke_through(SEVEN)])
    assert_shown(tab, "draw")
    assert prediction(tab) == "7"
    assert canvas.start() == [stroke_through(SEVEN)]
    assert not components(tab, HELPER)[HELPER]["first"]
    button(tab, "Clear").click().run()
    assert components(tab, HELPER)[HELPER]["strokes"] == []


def test_the_keyboard_asks_the_sheet_for_a_test_digit(tab):
    assert "press Enter" in components(tab, HELPER)[HELPER]["hint"]
    send(tab, HELPER, asked=True)
    assert source(tab)[0].startswith("Test image ")


def test_undo_leaves_a_test_digit_alone(tab):
    button(tab, "Use a test digit").click().run()
    before = source(tab)
    button(tab, "Undo").click().run()
    assert source(tab) == before


PATH = [["M", 5, 5], ["Q", 7, 7, 9, 9], ["L", 10, 10]]


@pytest.mark.parametrize(
    "objects",
    [
        5,
        "path",
        None,
        {},
        [5],
        [{"path": PATH}],
        [{"strokeWidth": 17, "path": PATH}],
        [{"strokeWidth": [18], "path": PATH}],
        [{"strokeWidth": 18, "path": 5}],
        [{"strokeWidth": 18, "path": []}],
        [{"strokeWidth": 18, "path": [["M", 5]]}],
        [{"strokeWidth": 18, "path": [["Q", 5, 5, 5, 5]]}],
        [{"strokeWidth": 18, "path": [["M", 5, 1e9]]}],
        [{"strokeWidth": 18, "path": [["M", 5, float("nan")]]}],
        [{"strokeWidth": 18, "path": [["M", "5", True]]}],
        [{"strokeWidth": 18, "path": PATH * 20_000}],
        [{"strokeWidth": 18, "path": PATH}] * 20_000,
    ],
    ids=lambda objects: str(objects)[:60],
)
def test_strokes_that_no_sheet_of_ours_sends_are_not_looked_at(tab, canvas, objects):
    canvas.report(objects)
    tab.run()
    assert_shown(tab, "draw")
    assert prediction(tab) == NOTHING


@pytest.mark.parametrize("kept", [5, "path", {}, [5], [[17, 5, 5]], [[18, 5, 5]] * 40_000])
def test_what_no_browser_of_ours_kept_is_not_looked_at(open_page, canvas, kept):
    tab = open_page("draw", run="classic")
    send(tab, HELPER, kept=kept)
    assert_shown(tab, "draw")
    assert canvas.start() == []


def bomb() -> bytes:
    """A few bytes that say they are 60,000 by 60,000 pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    picture = png(np.zeros((1, 1), np.uint8))
    return picture[:12] + head + struct.pack(">I", zlib.crc32(head)) + picture[33:]


@pytest.mark.parametrize("sent", [b"nonsense", png(np.zeros((9, 5000), np.uint8)), bomb()])
def test_where_a_picture_is_not_from_our_canvas_the_strokes_are_read(tab, canvas, sent):
    canvas.sent = sent
    canvas.draw(SEVEN)
    tab.run()
    assert_shown(tab, "draw")
    assert prediction(tab) == "7"


def test_the_picture_is_read_as_the_canvas_drew_it(tab, canvas):
    canvas.sent = png(pen_stroke(ONE))
    canvas.draw(SEVEN)
    tab.run()
    assert prediction(tab) == "1"


def test_a_curve_goes_through_its_middle():
    curve = {"strokeWidth": 18, "path": [["M", 0, 0], ["Q", 10, 0, 10, 10], ["L", 10, 20]]}
    assert from_canvas({"objects": [curve]}) == [[18, 0, 0, 7.5, 2.5, 10, 10, 10, 20]]


def test_every_pen_is_as_wide_in_the_picture_as_on_the_sheet():
    for pen in PENS.values():
        ink = picture_of([(pen, 20, 160, 300, 160)])[:, 160] < 128
        assert ink.sum() == pytest.approx(pen, abs=1)


def test_undo_of_nothing_is_nothing(tab):
    button(tab, "Undo").click().run()
    assert_shown(tab, "draw")
    assert prediction(tab) == NOTHING


def test_a_broader_pen_draws_broader_and_keeps_the_drawing(tab, canvas):
    canvas.draw(SEVEN)
    tab.run()
    before = canvas.options
    tab.segmented_control(key="pen").set_value("Broad").run()
    assert canvas.options["stroke_width"] > before["stroke_width"]
    assert canvas.options["key"] == before["key"]
    assert prediction(tab) == "7"


def test_two_networks_read_the_same_drawing_side_by_side(open_page, canvas):
    tab = open_page("draw", run="cnn", beside="classic")
    canvas.draw(SEVEN)
    tab.run()
    assert_shown(tab, "draw")
    assert [metric.value for metric in tab.metric if metric.label == "Prediction"] == ["7", "7"]
    assert tab.query_params["beside"] == "classic"


def test_a_second_network_that_is_not_there_is_left_away(open_page, canvas):
    tab = open_page("draw", run="cnn", beside="nope")
    canvas.draw(SEVEN)
    tab.run()
    assert_shown(tab, "draw")
    assert len([metric for metric in tab.metric if metric.label == "Prediction"]) == 1
    assert "beside" not in tab.query_params


def choose(tab, label: str, run_id: str):
    (box,) = [box for box in tab.selectbox if box.label == label]
    return box.set_value(run_id).run()


def test_networks_can_be_chosen_again_and_again(tab, canvas):
    canvas.draw(SEVEN)
    tab.run()
    for run_id in ("cnn", "classic", "cnn"):
        choose(tab, "Network", run_id)
        assert tab.query_params["run"] == run_id
        assert reader(tab).value == run_id


def test_a_second_network_can_be_added_changed_and_removed(open_page, store, canvas):
    mine = finished_run(store).id
    tab = open_page("draw", run="cnn")
    canvas.draw(SEVEN)
    tab.run()
    for beside, count in (("classic", 2), (mine, 2), ("", 1), ("classic", 2), ("", 1)):
        choose(tab, "Second network", beside)
        assert len([metric for metric in tab.metric if metric.label == "Prediction"]) == count
        assert tab.query_params.get("beside", "") == beside


def test_the_first_network_cannot_stand_beside_itself(open_page, canvas):
    tab = open_page("draw", run="cnn", beside="classic")
    choose(tab, "Network", "classic")
    assert_shown(tab, "draw")
    assert "beside" not in tab.query_params


@pytest.mark.parametrize(
    "query", [{"beside": ["classic", "cnn"]}, {"look": ["Layers", "Nearest digits"]}]
)
def test_an_address_that_says_a_thing_twice_is_read_all_the_same(open_page, canvas, query):
    tab = open_page("draw", run="cnn", **query)
    canvas.draw(SEVEN)
    tab.run()
    assert_shown(tab, "draw")
    assert prediction(tab) == "7"


def test_any_test_digit_can_be_named(tab, sample):
    tab.number_input(key="test_number").set_value(17).run()
    button(tab, "Read it").click().run()
    (text,) = source(tab)
    assert text.startswith(f"Test image 17, labelled {sample.y_test[17]}")
    assert "which cnn and classic were trained on" in text, "it is one of the sample's"


# --- why it thinks so ---


def look_at(tab, view: str):
    return tab.segmented_control(key="look").set_value(view).run()


def test_the_steps_of_the_preparation_are_shown_in_order(tab, canvas):
    canvas.draw(SEVEN)
    tab.run()
    texts = alternative_texts(tab)[1:]
    assert texts[0] == "Original"
    assert [text.split(". ", 1)[1] for text in texts[1:]] == list(drawing.STEPS.values())


def test_a_step_left_out_is_named_and_changes_what_the_network_sees(tab, canvas):
    canvas.draw(SEVEN, size=0.3)
    tab.run()
    steps = [step for step in drawing.STEPS if step != drawing.CROP]
    tab.pills(key="steps").set_value(steps).run()
    assert_shown(tab, "draw")
    assert "3. Left out: Cropped to the ink" in alternative_texts(tab)
    assert source(tab) == ["Your drawing, as the network sees it; 1 of 6 steps left out"]
    benchmark = drawing_benchmark()
    without = benchmark["right"]["classic"]["crop"] / benchmark["drawings"]
    assert any(f"**{without:.1%}**" in text.value for text in tab.markdown)


def test_every_step_can_be_left_out_at_once(tab, canvas):
    canvas.draw(SEVEN)
    tab.run()
    tab.pills(key="steps").set_value([]).run()
    assert_shown(tab, "draw")
    assert source(tab) == ["Your drawing, as the network sees it; 6 of 6 steps left out"]


def test_steps_left_out_stay_so_in_another_view_and_after_another_page(tab, canvas):
    canvas.draw(SEVEN)
    tab.run()
    tab.pills(key="steps").set_value([drawing.INK, drawing.CROP]).run()
    look_at(tab, "Layers")
    assert source(tab)[0].endswith("4 of 6 steps left out")
    visit(tab, "explore")
    canvas.close()
    visit(tab, "draw")
    assert source(tab)[0].endswith("4 of 6 steps left out")


def test_where_the_steps_left_leave_nothing_they_can_be_switched_on_again(tab, canvas):
    # Pale grey on dark grey: without the first step all of it is noise.
    canvas.sent = png(5 + pen_stroke(SEVEN)[..., 0] // 8)
    canvas.draw(SEVEN)
    tab.run()
    tab.pills(key="steps").set_value([drawing.NOISE, drawing.CROP]).run()
    assert_shown(tab, "draw")
    assert prediction(tab) == NOTHING
    assert any("Nothing but paper is left" in text.value for text in tab.markdown)
    tab.pills(key="steps").set_value(list(drawing.STEPS)).run()
    assert prediction(tab) == "7"


@pytest.mark.parametrize(
    ("run", "view", "text"),
    [
        ("classic", "Important pixels", "The digit, coloured where its ink is evidence for a 7"),
        ("classic", "Nearest digits", "A training digit labelled 7"),
        ("classic", "Layers", "Dense 1: 128 units, brighter where they respond more"),
        ("cnn", "Layers", "Dense 1: 64 units, brighter where they respond more"),
    ],
)
def test_every_view_explains_the_drawing_at_hand(open_page, canvas, run, view, text):
    tab = open_page("draw", run=run)
    canvas.draw(SEVEN)
    tab.run()
    look_at(tab, view)
    assert_shown(tab, "draw")
    assert sentences(tab) == []
    assert text in alternative_texts(tab)


def test_two_networks_explain_themselves_side_by_side(open_page, canvas):
    tab = open_page("draw", run="cnn", beside="classic")
    canvas.draw(SEVEN)
    tab.run()
    look_at(tab, "Layers")
    texts = alternative_texts(tab)
    assert any(text.startswith("Convolution 1") for text in texts)
    assert any(text.startswith("Dense 1: 128 units") for text in texts)


@pytest.mark.parametrize("look", ["Layers", "nonsense", "<b>"])
def test_the_view_is_in_the_address_and_nonsense_falls_back(open_page, canvas, look):
    tab = open_page("draw", run="classic", look=look)
    canvas.draw(SEVEN)
    tab.run()
    assert_shown(tab, "draw")
    assert ("Dense 1: 128 units" in " ".join(alternative_texts(tab))) == (look == "Layers")


# --- a picture file ---


def test_a_picture_file_is_read_at_once(tab):
    upload(tab, "seven.png", png(pen_stroke(SEVEN)))
    assert_shown(tab, "draw")
    assert sentences(tab) == []
    assert prediction(tab) == "7"
    assert source(tab) == ["Your picture, as the network sees it"]


def test_a_picture_file_replaces_the_drawing(tab, canvas):
    canvas.draw(ONE)
    tab.run()
    upload(tab, "seven.png", png(pen_stroke(SEVEN)))
    tab.run()
    assert prediction(tab) == "7"
    assert canvas.start() == []


def test_drawing_goes_on_after_a_picture_file(tab, canvas):
    upload(tab, "seven.png", png(pen_stroke(SEVEN)))
    tab.run()
    canvas.draw(ONE)
    tab.run()
    assert prediction(tab) == "1"
    assert source(tab) == ["Your drawing, as the network sees it"]


@pytest.mark.parametrize("kind", pictures.READ)
def test_every_kind_of_picture_is_read_whatever_its_name(tab, kind):
    upload(tab, "picture.dat", pictures.READ[kind]())
    assert_shown(tab, "draw")
    assert sentences(tab) == []
    assert prediction(tab) == "7"


def test_a_digit_that_fills_its_picture_to_the_edge_is_read(tab):
    upload(tab, "one.png", pictures.encode(pictures.edge_to_edge(), "PNG"))
    assert prediction(tab) == "1"


@pytest.mark.parametrize("kind", pictures.REFUSED)
def test_a_file_that_cannot_be_read_is_one_sentence(tab, kind):
    make, part = pictures.REFUSED[kind]
    upload(tab, "picture.png", make())
    assert_shown(tab, "draw")
    assert_one_sentence(sentences(tab), part)
    assert prediction(tab) == NOTHING


def test_the_browser_lets_every_kind_of_file_through(tab):
    # What is wrong with it is then said in our words; and iPhones send JPEG instead of HEIC.
    (uploader,) = tab.get("file_uploader")
    assert list(uploader.proto.type) == []


def test_several_digits_in_a_picture_are_read_one_by_one(tab):
    row = np.hstack([pen_stroke(ONE, 0.6), pen_stroke(SEVEN, 0.6), pen_stroke(ONE, 0.6)])
    upload(tab, "row.png", png(row))
    assert_shown(tab, "draw")
    assert prediction(tab) == "171"
    read = [text for text in alternative_texts(tab) if text.startswith("A figure read as")]
    assert [text.split(":")[0][-1] for text in read] == ["1", "7", "1"]


def test_each_figure_of_a_picture_can_be_looked_at(tab):
    row = np.hstack([pen_stroke(ONE, 0.6), pen_stroke(SEVEN, 0.6)])
    upload(tab, "row.png", png(row))
    assert any("2 figures were found" in text for text in alternative_texts(tab))
    (figures,) = [group for group in tab.segmented_control if group.label.startswith("Look closer")]
    figures.set_value(2).run()
    look_at(tab, "Important pixels")
    assert "The digit, coloured where its ink is evidence for a 7" in alternative_texts(tab)
    # The next picture begins with its first figure again.
    upload(tab, "row.png", png(row))
    assert "The digit, coloured where its ink is evidence for a 1" in alternative_texts(tab)


def test_a_row_is_read_by_two_networks(open_page):
    tab = open_page("draw", run="cnn", beside="classic")
    upload(tab, "row.png", png(np.hstack([pen_stroke(ONE, 0.6), pen_stroke(SEVEN, 0.6)])))
    assert_shown(tab, "draw")
    assert [metric.value for metric in tab.metric if metric.label == "Prediction"] == ["17", "17"]


def test_an_uploaded_file_is_let_go_once_it_is_read(tab):
    upload(tab, "seven.png", png(pen_stroke(SEVEN)))
    (uploader,) = tab.get("file_uploader")
    assert not uploader.value


# --- no answer and no sentence outlives what it is about ---


def a_test_digit(tab, canvas) -> None:
    button(tab, "Use a test digit").click().run()


def a_picture(tab, canvas) -> None:
    upload(tab, "seven.png", png(pen_stroke(SEVEN)))


def a_drawing(tab, canvas) -> None:
    canvas.draw(SEVEN)
    tab.run()


def a_broken_file(tab, canvas) -> None:
    upload(tab, "picture.png", b"broken")


def an_empty_sheet(tab, canvas) -> None:
    upload(tab, "picture.png", png(WHITE))


def a_dot(tab, canvas) -> None:
    canvas.draw([(0.5, 0.5)])
    tab.run()


READABLE = (a_test_digit, a_picture, a_drawing)


@pytest.mark.parametrize("wrong", [a_broken_file, an_empty_sheet])
@pytest.mark.parametrize("before", [a_test_digit, a_picture])
def test_after_a_file_that_cannot_be_read_no_earlier_answer_stays(tab, canvas, before, wrong):
    before(tab, canvas)
    wrong(tab, canvas)
    assert_shown(tab, "draw")
    assert len(sentences(tab, "error")) == 1
    assert prediction(tab) == NOTHING
    assert source(tab) == []


@pytest.mark.parametrize("after", READABLE)
@pytest.mark.parametrize("wrong", [a_broken_file, an_empty_sheet, a_dot])
def test_what_was_wrong_is_forgotten_with_the_next_thing_to_read(tab, canvas, wrong, after):
    wrong(tab, canvas)
    assert prediction(tab) == NOTHING
    after(tab, canvas)
    assert_shown(tab, "draw")
    assert sentences(tab) == []
    assert not any("That is a dot" in text.value for text in tab.markdown)
    assert prediction(tab) != NOTHING


@pytest.mark.parametrize("wrong", [a_broken_file, an_empty_sheet])
@pytest.mark.parametrize("way", ["Clear", "another page"])
def test_what_was_wrong_is_forgotten_on_an_empty_sheet(tab, canvas, wrong, way):
    wrong(tab, canvas)
    if way == "Clear":
        button(tab, "Clear").click().run()
    else:
        visit(tab, "explore")
        canvas.close()
        visit(tab, "draw")
    assert sentences(tab) == []
    assert "Turn" not in buttons(tab)


def test_a_broken_picture_file_leaves_the_drawing_alone_until_it_is_changed(tab, canvas):
    a_drawing(tab, canvas)
    a_broken_file(tab, canvas)
    assert len(sentences(tab, "error")) == 1
    assert prediction(tab) == "7"
    assert source(tab) == ["Your drawing, as the network sees it"]
    canvas.draw(ONE)
    tab.run()
    assert sentences(tab, "error") == []
    assert prediction(tab) == "1"


# --- a picture on its side ---


def kept(tab) -> int:
    """Bytes of the picture that the session keeps."""
    return len(tab.session_state["subject"].file)


def test_a_picture_on_its_side_is_turned_until_it_is_upright(tab):
    row = np.hstack([pen_stroke(ONE, 0.6), pen_stroke(SEVEN, 0.6)])
    upload(tab, "row.png", png(np.rot90(row, 2)))
    assert prediction(tab) != "17"
    button(tab, "Turn").click().run()
    button(tab, "Turn").click().run()
    assert_shown(tab, "draw")
    assert prediction(tab) == "17"
    for _ in range(4):
        button(tab, "Turn").click().run()
    assert prediction(tab) == "17", "four turns are none"


def test_a_picture_in_which_nothing_was_found_can_be_turned_too(tab):
    # A 1 on its side is a dash.
    lying = np.full((120, 300), 255, np.uint8)
    lying[55:65, 60:240] = 0
    upload(tab, "one.png", png(lying))
    assert_one_sentence(sentences(tab), "no digit here")
    button(tab, "Turn").click().run()
    assert sentences(tab) == []
    assert prediction(tab) == "1"


def test_only_a_picture_can_be_turned_and_one_is_kept_in_grey(tab, canvas):
    for other in (a_test_digit, a_drawing, a_broken_file):
        other(tab, canvas)
        assert "Turn" not in buttons(tab)
    noise = np.random.default_rng(0).integers(0, 256, (1600, 1600, 3)).astype(np.uint8)
    upload(tab, "noise.png", png(noise))
    assert 0 < kept(tab) < 1_600_000, "1,200 by 1,200 pixels at most"
    a_picture(tab, canvas)
    assert 0 < kept(tab) < 10_000
    a_drawing(tab, canvas)
    assert kept(tab) == 0


# --- dots, and several digits ---


def test_a_dot_is_said_to_be_one(tab, canvas):
    a_dot(tab, canvas)
    assert_shown(tab, "draw")
    assert prediction(tab) == NOTHING
    assert any("That is a dot, not a digit: draw a digit" in text.value for text in tab.markdown)
    assert sentences(tab) == []


def test_several_digits_on_the_sheet_are_read_one_by_one_and_taken_back(tab, canvas):
    def part(points, left):
        return [(left + 0.35 * x, 0.3 + 0.5 * y) for x, y in points]

    canvas.draw(part(SEVEN, 0.0))
    tab.run()
    assert prediction(tab) == "7"
    canvas.draw(part(SEVEN, 0.0), part(ONE, 0.6))
    tab.run()
    assert_shown(tab, "draw")
    assert prediction(tab) == "71"
    assert source(tab) == ["Your drawing, as the network sees it"]
    assert "Your drawing, in which 2 figures were found" in alternative_texts(tab)
    button(tab, "Undo").click().run()
    assert prediction(tab) == "7"


def test_every_figure_of_a_full_page_is_read_and_can_be_looked_at(tab):
    upload(tab, "sheet.png", pictures.many(40))
    assert_shown(tab, "draw")
    assert sentences(tab) == []
    assert prediction(tab) == "17" * 20
    (number,) = [box for box in tab.number_input if box.label.startswith("Look closer at figure")]
    number.set_value(40).run()
    look_at(tab, "Important pixels")
    assert "The digit, coloured where its ink is evidence for a 7" in alternative_texts(tab)


def test_of_too_many_figures_it_is_said_that_some_were_left_out(tab, monkeypatch):
    monkeypatch.setattr("mnist_core.drawing.reading.MOST_FIGURES", 30)
    upload(tab, "sheet.png", pictures.many(40))
    assert_one_sentence(sentences(tab), "Only the 30 largest of the 40 figures in the picture")
    assert len(prediction(tab)) == 30
