import io

import numpy as np
import pytest
from PIL import Image

from tests.helpers import finished_run, running_run
from tests.pages.helpers import (
    ONE,
    SEVEN,
    alternative_texts,
    assert_one_sentence,
    assert_shown,
    button,
    buttons,
    metrics,
    pen_stroke,
    sentences,
    visit,
)

NOTHING = "–"
WHITE = np.full((320, 320, 4), 255, np.uint8)


def prediction(tab) -> str:
    return metrics(tab)["Prediction"]


def source(tab) -> list[str]:
    """What the page says it has read."""
    return [text.value for text in tab.caption if "as the network sees it" in text.value]


def reader(tab):
    (box,) = [box for box in tab.selectbox if box.label == "Who reads it"]
    return box


def png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def tab(open_page):
    """The page, with the small shipped network."""
    return open_page("draw", run="classic")


def test_before_anything_is_drawn_it_says_what_to_do(tab):
    assert_shown(tab, "draw")
    assert sentences(tab) == []
    assert prediction(tab) == NOTHING
    assert any("Draw a digit, large or small, anywhere" in text.value for text in tab.markdown)
    assert {"Clear", "Use a test digit"} <= set(buttons(tab))


@pytest.mark.parametrize("size", [0.8, 0.3])
def test_a_drawn_seven_is_read_as_a_seven(tab, canvas, size):
    canvas.draw(SEVEN, size)
    tab.run()
    assert_shown(tab, "draw")
    assert prediction(tab) == "7"
    assert source(tab) == ["Your drawing, as the network sees it"]
    assert alternative_texts(tab) == ["The 28 by 28 pixels the network was given"]
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


@pytest.mark.parametrize("objects", [[], [{"type": "path", "path": [(5, 5)]}]])
def test_an_empty_sheet_has_no_answer(tab, canvas, objects):
    canvas.report(WHITE, objects)
    tab.run()
    assert_shown(tab, "draw")
    assert prediction(tab) == NOTHING


def test_undoing_the_last_stroke_takes_the_answer_away(tab, canvas):
    canvas.draw(SEVEN)
    tab.run()
    canvas.report(WHITE, [])
    tab.run()
    assert prediction(tab) == NOTHING


def test_clear_empties_the_canvas_and_the_answer(tab, canvas):
    canvas.draw(SEVEN)
    tab.run()
    key = canvas.options["key"]
    button(tab, "Clear").click().run()
    assert prediction(tab) == NOTHING
    assert canvas.options["key"] != key
    assert not canvas.options["initial_drawing"]
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
    assert not canvas.options["initial_drawing"]
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
    path = canvas.options["initial_drawing"]["objects"][0]["path"]
    assert path == SEVEN, "the strokes are on the sheet again"


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
    assert not canvas.options["initial_drawing"]


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


# --- a picture file ---


def test_a_picture_file_is_read_at_once(tab):
    tab.file_uploader(key="upload").upload("seven.png", png(pen_stroke(SEVEN)), "image/png").run()
    assert_shown(tab, "draw")
    assert sentences(tab) == []
    assert prediction(tab) == "7"
    assert source(tab) == ["Your picture, as the network sees it"]


def test_a_picture_file_replaces_the_drawing(tab, canvas):
    canvas.draw(ONE)
    tab.run()
    tab.file_uploader(key="upload").upload("seven.png", png(pen_stroke(SEVEN)), "image/png").run()
    tab.run()
    assert prediction(tab) == "7"
    assert not canvas.options["initial_drawing"]


def test_drawing_goes_on_after_a_picture_file(tab, canvas):
    tab.file_uploader(key="upload").upload("seven.png", png(pen_stroke(SEVEN)), "image/png").run()
    tab.run()
    canvas.draw(ONE)
    tab.run()
    assert prediction(tab) == "1"
    assert source(tab) == ["Your drawing, as the network sees it"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "not a PNG, JPEG or WebP picture, or it is broken"),
        (b"my homework " * 100, "not a PNG, JPEG or WebP picture, or it is broken"),
        (png(pen_stroke(SEVEN))[:300], "not a PNG, JPEG or WebP picture, or it is broken"),
        (png(WHITE), "There is no digit yet"),
    ],
)
def test_a_picture_file_that_cannot_be_read_is_a_sentence(tab, content, part):
    tab.file_uploader(key="upload").upload("picture.png", content, "image/png").run()
    assert_shown(tab, "draw")
    (text,) = sentences(tab)
    assert part in text
    assert text.endswith(".")
    assert prediction(tab) == NOTHING


def test_a_broken_picture_file_leaves_the_drawing_alone(tab, canvas):
    canvas.draw(SEVEN)
    tab.run()
    tab.file_uploader(key="upload").upload("picture.png", b"broken", "image/png").run()
    assert len(sentences(tab, "error")) == 1
    assert prediction(tab) == "7"
