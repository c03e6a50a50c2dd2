import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_core.drawing.paper import (
    LONGEST_SIDE,
    flatten_light,
    has_light_ink,
    shrink,
)

# Where the ink of SEVEN is, and where there is only paper.
BAR, PAPER = (60, 120), (150, 40)


def sheet(paper: int = 230, ink: int = 40) -> np.ndarray:
    """float32 (200, 240), 0 black to 1 white: a 7 in the middle."""
    picture = Image.new("L", (240, 200), paper)
    ImageDraw.Draw(picture).line([(80, 60), (150, 60), (110, 150)], ink, 9, joint="curve")
    return np.asarray(picture, np.float32) / 255


def test_light_from_one_side_leaves_paper_white_and_ink_dark():
    light = np.linspace(1, 0.45, 240, dtype=np.float32)
    ink, bare = flatten_light(sheet() * light)
    assert abs(ink[:, :60].max() - ink[:, 180:].max()) < 0.05
    assert abs(ink[PAPER]) < 0.05
    assert ink[BAR] > 0.7
    np.testing.assert_allclose(bare[100, [20, 220]], 230 / 255 * light[[20, 220]], atol=0.06)


@pytest.mark.parametrize(("paper", "ink", "light"), [(230, 40, False), (30, 220, True)])
def test_chalk_is_told_from_ink(paper, ink, light):
    assert has_light_ink(sheet(paper, ink)) == light
    flat, _ = flatten_light(sheet(paper, ink))
    assert flat[BAR] > 0.5
    assert abs(flat[PAPER]) < 0.05


def test_a_huge_picture_is_made_small_and_a_small_one_left():
    assert max(shrink(np.zeros((3000, 1500, 3), np.uint8)).shape) == LONGEST_SIDE
    assert shrink(np.zeros((28, 28), np.uint8)).shape == (28, 28)
