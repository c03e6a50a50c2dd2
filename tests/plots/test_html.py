import base64
import html
import io
import re

import numpy as np
import pytest
from PIL import Image

from mnist_core.plots import html as html_module

NASTY = '<script>alert("1 & 2")</script>'


def only_picture(text: str) -> np.ndarray:
    """The pixels of the one picture in a piece of HTML."""
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize(
    "made",
    [
        html_module.feature_maps(np.ones((4, 4, 3)), NASTY, NASTY),
        html_module.units(np.ones(3), NASTY, NASTY),
        html_module.heat(np.zeros((28, 28), np.uint8), np.ones((28, 28)), NASTY),
    ],
    ids=["feature_maps", "units", "heat"],
)
def test_text_is_escaped(made):
    assert "<script" not in made
    assert f'alt="{html.escape(NASTY)}"' in made


def test_all_maps_are_in_one_picture_with_room_between_them():
    maps = np.zeros((14, 14, 10))
    maps[3, 5, 0] = 1
    maps[:, :, 9] = 1
    grey, opacity = np.moveaxis(only_picture(html_module.feature_maps(maps, "Ten", "")), 2, 0)
    # Two rows, of eight and of two, each map drawn twice its size.
    assert grey.shape == (2 * 30 - 2, 8 * 30 - 2)
    assert np.argwhere(grey[:28, :28]).tolist() == [[6, 10], [6, 11], [7, 10], [7, 11]]
    assert (grey[30:, 30:58] == 255).all()
    assert grey[:30].sum() == 4 * 255
    assert not opacity[28:30].any()
    assert not opacity[:, 28:30].any()
    assert not opacity[30:, 60:].any()
    assert (opacity[:28, :28] == 255).all()


def test_brightness_compares_the_maps_of_a_layer():
    maps = np.stack([np.full((28, 28), 4.0), np.full((28, 28), 1.0), np.zeros((28, 28))], axis=2)
    grey = only_picture(html_module.feature_maps(maps, "", ""))[..., 0]
    assert [int(grey[0, left]) for left in (0, 30, 60)] == [255, 128, 0]


@pytest.mark.parametrize("count", [1, 10, 16, 17, 128])
def test_each_unit_is_a_cell(count):
    values = np.zeros(count, np.float32)
    values[-1] = 0.5
    grey, opacity = np.moveaxis(only_picture(html_module.units(values, "", "")), 2, 0)
    side, step = html_module.UNIT_SIDE, html_module.UNIT_SIDE + html_module.GAP
    assert (opacity == 255).sum() == count * side**2
    assert (grey == 255).sum() == side**2
    row, column = divmod(count - 1, 16)
    assert grey[row * step, column * step] == 255


@pytest.mark.filterwarnings("error")
def test_a_silent_layer_is_black():
    assert not only_picture(html_module.feature_maps(np.zeros((7, 7, 4)), "", ""))[..., 0].any()
    assert not only_picture(html_module.units(np.zeros(4), "", ""))[..., 0].any()


def test_a_sheet_of_few_maps_is_not_blown_up_to_the_width_of_the_page():
    assert "max-width:30rem" in html_module.feature_maps(np.ones((4, 4, 24)), "", "")
    assert "max-width:7.5rem" in html_module.feature_maps(np.ones((4, 4, 2)), "", "")


def test_orange_speaks_for_and_blue_against():
    weights = np.zeros((28, 28), np.float32)
    weights[3, 4], weights[20, 21], weights[10, 10] = 0.6, -0.6, 0.3
    made = html_module.heat(np.full((28, 28), 100, np.uint8), weights, "")
    pixels = only_picture(made).astype(int)
    assert pixels[0, 0].tolist() == [100, 100, 100]
    orange, blue, faint = pixels[3, 4], pixels[20, 21], pixels[10, 10]
    assert orange[0] > orange[1] > orange[2]
    assert blue[0] < blue[1] < blue[2]
    assert abs(faint - 100).sum() == pytest.approx(abs(orange - 100).sum() / 2, abs=2)
    assert "by 60 points of 100" in made


def test_weights_too_small_to_matter_are_not_painted_as_if_they_did():
    image = np.full((28, 28), 100, np.uint8)
    weights = np.full((28, 28), 0.001, np.float32)
    made = html_module.heat(image, weights, "")
    assert abs(only_picture(made).astype(int) - 100).max() <= 1
    assert "No place decides alone" in made
    assert "Orange" not in made


def test_a_strip_shows_pictures_of_any_size_with_their_words():
    pictures = [np.zeros((280, 280), np.uint8), np.zeros((28, 20), np.uint8)]
    shown = html_module.strip(pictures, ["As it <came>", "Cropped"], ["first", "second"])
    assert shown.count("<img ") == 2
    assert 'alt="first"' in shown
    assert 'alt="second"' in shown
    assert "As it &lt;came&gt;" in shown


def test_every_figure_found_in_a_picture_gets_a_frame_where_it_is():
    photo = np.full((100, 200), 255, np.uint8)
    # In pixels of a picture four times as large.
    shown = html_module.framed(photo, [(80, 80, 320, 240), (80, 480, 320, 640)], (400, 800), "two")
    assert 'alt="two"' in shown
    data = re.search(r"base64,([^\"]+)", shown).group(1)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    framed = (pixels != 255).any(axis=2)
    columns = np.flatnonzero(framed.any(axis=0))
    assert (columns[0], columns[-1]) == (18, 161)
    rows = np.flatnonzero(framed.any(axis=1))
    assert (rows[0], rows[-1]) == (18, 81)
    assert not framed[30:70, 70:110].any(), "between the two there is no frame"


def test_a_table_names_its_columns_and_rows_and_escapes_them():
    made = html_module.table(["Run", "Time", NASTY], [["first", "1 s", NASTY], [NASTY, "2 s", ""]])
    assert "<script" not in made
    assert made.count(html.escape(NASTY)) == 3
    assert re.findall(r'<th scope="(.*?)"', made) == ["col", "col", "col", "row", "row"]
    assert "<td>1 s</td>" in made
    # It may be wider than the page: whoever has no mouse scrolls it too.
    assert '<div class="scroll" tabindex="0" role="region" aria-label="Table">' in made
    named = html_module.table(["Run"], [["first"]], name=NASTY)
    assert f'aria-label="{html.escape(NASTY)}"' in named


def test_only_long_columns_of_a_table_are_broken_into_lines():
    made = html_module.table(["Run", "Time", "Settings"], [["a", "1 s", "b"]], long=(0, 2))
    assert '<th scope="row" class="text long">a</th><td>1 s</td>' in made
    assert '<td class="text long">b</td>' in made
    assert "long" not in html_module.table(["Digit", "F1"], [["0", "1"]]).split("</style>")[1]


def test_a_table_that_scrolls_has_a_name_and_may_have_a_greatest_height():
    plain = html_module.table(["a"], [["1"]])
    assert 'tabindex="0" role="region" aria-label="Table">' in plain
    high = html_module.table(["a"], [["1"]], name='All "runs"', most_pixels=300)
    assert 'aria-label="All &quot;runs&quot;" style="max-height:300px">' in high
