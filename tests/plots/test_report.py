import base64
import csv
import html
import io
import re

import numpy as np
import pytest
from PIL import Image

from mnist_core.analysis.predictions import Predictions
from mnist_core.plots import report
from tests.helpers import answered

NASTY = '<script>alert("1 & 2")</script>'
# Four images: 4, 4, 9, 0. The second is read as a 9 and the last as a 6.
LABELS = np.array([4, 4, 9, 0], np.uint8)
PROBABILITIES = np.zeros((4, 10), np.float32)
PROBABILITIES[[0, 1, 2, 3], [4, 9, 9, 6]] = [1, 0.75, 0.9, 0.6]
PROBABILITIES[[1, 2, 3], [4, 4, 0]] = [0.25, 0.1, 0.4]
PREDICTIONS = Predictions(LABELS, PROBABILITIES)
COUNTS = PREDICTIONS.matrix
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 28, 28)).astype(np.uint8)


def made(name="My run", images=IMAGES, predictions=PREDICTIONS) -> str:
    return report.html_report(name, "MNIST: 4 test images", "24 November 2026", predictions, images)


def pictures(text: str) -> list[tuple[tuple[int, int], str]]:
    """Size and alternative text of each picture in a piece of HTML."""
    found = re.findall(r'<img src="data:image/png;base64,([^"]+)" alt="([^"]*)">', text)
    return [
        (Image.open(io.BytesIO(base64.b64decode(data))).size, html.unescape(alt))
        for data, alt in found
    ]


def words(text: str) -> str:
    """What a person reads."""
    body = re.sub(r"<style>.*?</style>|</?strong>", "", text, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


# --- tables ---


def test_predictions_are_a_line_an_image():
    rows = list(csv.DictReader(io.StringIO(report.predictions_csv(PREDICTIONS))))
    assert len(rows) == 4
    digits = [f"p{digit}" for digit in range(10)]
    assert list(rows[0]) == ["image", "true", "predicted", "confidence", *digits]
    assert [int(row["image"]) for row in rows] == [0, 1, 2, 3]
    assert [int(row["true"]) for row in rows] == LABELS.tolist()
    assert [int(row["predicted"]) for row in rows] == [4, 9, 9, 6]
    assert [float(row["confidence"]) for row in rows] == [1, 0.75, 0.9, 0.6]
    read_back = np.array([[float(row[digit]) for digit in digits] for row in rows])
    assert np.abs(read_back - PROBABILITIES).max() < 1e-6


def test_numbers_have_no_more_figures_than_they_are_worth():
    text = report.predictions_csv(PREDICTIONS)
    assert text.splitlines()[2] == "1,4,9,0.750000,0.000000,0.000000,0.000000,0.000000," + (
        "0.250000,0.000000,0.000000,0.000000,0.000000,0.750000"
    )
    assert text.endswith("0.000000\n")
    assert "\r" not in text


def test_a_matrix_comes_back_from_its_table():
    header, *rows = csv.reader(io.StringIO(report.matrix_csv(COUNTS)))
    assert header == ["true", *(f"predicted {digit}" for digit in range(10))]
    assert [row[0] for row in rows] == [str(digit) for digit in range(10)]
    assert np.array([row[1:] for row in rows], int).tolist() == COUNTS.tolist()


def test_no_images_give_a_header_only():
    text = report.predictions_csv(answered([], []))
    assert text.count("\n") == 1


# --- the picture ---


def cell_colour(picture: bytes, true: int, predicted: int) -> tuple[int, ...]:
    """The colour of a cell, away from its number."""
    left, top = report.LEFT + predicted * report.CELL, report.TOP + true * report.CELL
    return Image.open(io.BytesIO(picture)).getpixel((left + 4, top + 4))


def test_the_picture_of_a_matrix_has_its_size_and_colours_by_row_and_column():
    picture = report.matrix_png(
        np.diag([0] * 4 + [9] + [1] * 5) + 3 * np.eye(10, k=5, dtype=int), ""
    )
    opened = Image.open(io.BytesIO(picture))
    assert (opened.format, opened.size) == ("PNG", report.MATRIX_SIZE)
    assert cell_colour(picture, 4, 4) == report.FULL
    # Row 4, column 9 is the mistake; row 9, column 4 is empty.
    assert report.FULL < cell_colour(picture, 4, 9) < report.EMPTY
    assert cell_colour(picture, 9, 4) == report.EMPTY


def test_numbers_are_written_into_cells_that_have_one():
    def inside(true: int, predicted: int) -> np.ndarray:
        pixels = np.asarray(Image.open(io.BytesIO(report.matrix_png(COUNTS, ""))))
        top, left = report.TOP + true * report.CELL, report.LEFT + predicted * report.CELL
        return pixels[top : top + report.CELL - 3, left : left + report.CELL - 3]

    assert len(np.unique(inside(4, 9).reshape(-1, 3), axis=0)) > 1
    assert len(np.unique(inside(9, 4).reshape(-1, 3), axis=0)) == 1


@pytest.mark.parametrize("counts", [np.zeros((10, 10), int), np.full((10, 10), 12345)])
def test_an_empty_and_a_full_matrix_can_be_drawn(counts):
    picture = report.matrix_png(counts, "A title")
    full = report.FULL if counts.any() else report.EMPTY
    assert cell_colour(picture, 3, 7) == full


def test_a_long_title_shrinks_until_it_fits():
    picture = Image.open(io.BytesIO(report.matrix_png(COUNTS, "W" * 120))).convert("L")
    title = np.asarray(picture)[: report.TOP] < 200
    columns = np.flatnonzero(title.any(axis=0))
    assert columns[0] >= 8
    assert columns[-1] < report.MATRIX_SIZE[0] - 8


# --- the page ---


@pytest.mark.parametrize("place", range(3))
def test_whatever_is_passed_in_is_escaped(place):
    texts = ["run", "data", "date"]
    texts[place] = NASTY
    page = report.html_report(*texts, PREDICTIONS, IMAGES)
    assert "<script" not in page.lower()
    assert html.escape(NASTY) in page
    assert NASTY in words(page)


def test_braces_in_a_name_mean_nothing():
    assert "<h1>{body} {0}</h1>" in made("{body} {0}")


def test_the_page_needs_nothing_else():
    page = made()
    assert page.startswith("<!DOCTYPE html>")
    assert "<script" not in page
    assert "<link" not in page
    assert "@import" not in page
    assert "url(" not in page
    sources = re.findall(r'src="([^"]{0,22})', page)
    assert set(sources) == {"data:image/png;base64,"}


def test_the_page_says_how_good_it_is():
    text = words(made())
    # Wilson for 2 of 4: 0.1500 to 0.8500. The next four may all be right, or all wrong.
    assert "Test accuracy 50.00%, 95% confidence interval 15.00% to 85.00%" in text
    assert "2 of 4 misclassified. Of 4 other such images, between 0 and 4 would be (95%" in text
    assert "MNIST: 4 test images · 24 November 2026" in text


def test_the_matrix_is_a_picture_with_words():
    size, alt = pictures(made())[0]
    assert size == report.MATRIX_SIZE
    assert alt == (
        "Confusion matrix. 2 of 4 test images classified correctly. "
        "Most common mistake: 0 read as 6 (1 time)."
    )


def test_the_surest_mistakes_are_shown_in_order():
    shown = pictures(made())[1:]
    assert [size for size, _ in shown] == [(28, 28), (28, 28)]
    assert [alt for _, alt in shown] == [
        "Test image 1: a 4, read as 9 with probability 75%",
        "Test image 3: a 0, read as 6 with probability 60%",
    ]


def test_the_tables_have_a_row_for_each_digit_and_each_bin():
    digits, bins = re.findall(r"<tbody>(.*?)</tbody>", made())
    assert digits.count("<tr>") == 10
    assert "4 100.00% 50.00% 66.67% 2 9 (1×)" in words(digits)
    # 0.6 is in the bin up to 0.6; the 75% and the 90% are two bins, the 100% one.
    assert words(bins).startswith("50% to 60% 1 60.0% 0.0%")
    assert bins.count("<tr>") == 4
    assert "Calibration error" in words(made())


def test_only_so_many_mistakes_fit_on_the_page():
    images = np.zeros((100, 28, 28), np.uint8)
    page = made(predictions=answered([3] * 100, [5] * 100), images=images)
    assert len(pictures(page)) == 1 + report.MOST_MISTAKES


def test_the_page_says_that_pictures_are_not_available():
    page = made(images=None)
    assert len(pictures(page)) == 1
    assert "The pictures of these test images are not available." in words(page)


def test_a_network_without_mistakes_and_one_without_images_have_a_page():
    assert "There are none." in words(made(predictions=answered(LABELS, LABELS)))
    none = made(predictions=answered([], []), images=IMAGES[:0])
    assert "0 of 0 misclassified" in words(none)
