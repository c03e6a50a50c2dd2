import numpy as np
import pytest

from mnist_core.classifier import Classifier
from mnist_core.drawing import synthetic
from mnist_core.drawing.synthetic import (
    SCRIBBLE,
    choose_drawn,
    draw_lines,
    load_drawn,
    make_drawn,
    on_sheet,
    write,
)


@pytest.fixture(scope="module")
def drawn():
    return load_drawn()


def test_as_many_of_each_digit_and_some_scribbles_come_with_the_project(drawn):
    images, labels = drawn
    assert (images.shape[1:], images.dtype) == ((28, 28), np.uint8)
    assert len(images) == len(labels) == 11_000
    counts = np.bincount(labels)
    assert counts.tolist() == [1000] * 11


@pytest.mark.parametrize("digits", [0, 10, 3000])
def test_fewer_come_with_as_many_of_each_digit_and_fewer_scribbles(digits):
    places, labels = choose_drawn(digits)
    assert (load_drawn()[1][places] == labels).all()
    assert np.bincount(labels, minlength=11).tolist() == [digits // 10] * 11


def test_the_file_is_what_the_code_draws(drawn):
    images, labels = make_drawn(60, 0, synthetic.SEED)
    assert (labels == drawn[1][:60]).all()
    # Libraries of another version may round otherwise.
    difference = np.abs(images.astype(int) - drawn[0][:60].astype(int)).mean(axis=(1, 2))
    assert np.median(difference) < 1


def test_drawn_digits_are_as_large_and_as_central_as_mnists(drawn):
    images, _ = drawn
    for image in images[::50]:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        mass = image / image.sum()
        centre = mass.sum(axis=1) @ np.arange(28), mass.sum(axis=0) @ np.arange(28)
        assert all(9 < part < 18 for part in centre)


def test_a_network_that_never_saw_these_takes_most_for_what_they_are(drawn):
    # classic learns from the first 3,000 only; these are others.
    images, labels = drawn
    digits = labels != SCRIBBLE
    answers = Classifier.bundled("classic").predict_proba(images[digits][5000:6000]).argmax(axis=1)
    right = answers == labels[digits][5000:6000]
    assert right.mean() > 0.75
    assert all(right[labels[digits][5000:6000] == digit].mean() > 0.5 for digit in range(10))


def test_the_same_seed_draws_the_same_and_another_something_else():
    first, again, other = (make_drawn(10, 2, seed)[0] for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any(axis=(1, 2)).all()


@pytest.mark.parametrize("label", range(11))
def test_every_way_of_writing_stays_a_few_strokes_of_finite_points(label):
    random = np.random.default_rng(label)
    for _ in range(50):
        written = write(label, random)
        assert 1 <= len(written) <= 4
        for stroke in written:
            assert stroke.ndim == 2
            assert stroke.shape[1] == 2
            assert np.isfinite(stroke).all()


@pytest.mark.parametrize("pen", synthetic.PENS)
def test_strokes_fill_the_sheet_and_stay_on_it(pen):
    sheet = on_sheet(write(8, np.random.default_rng(0)), pen)
    rows, columns = np.flatnonzero(sheet.any(axis=1)), np.flatnonzero(sheet.any(axis=0))
    sides = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert abs(max(sides) - (synthetic.SHEET_SIDE - 2 * synthetic.MARGIN)) <= 3
    assert not sheet[0].any()
    assert not sheet[-1].any()


def test_a_line_is_as_wide_as_the_pen_with_round_ends():
    sheet = draw_lines([np.array([[20.0, 50.0], [80.0, 50.0]])], 10, 100)
    assert abs(int((sheet[:, 50] > 0).sum()) - 10) <= 1
    assert sheet[50, 16] == 255
    assert sheet[46, 16] == 0, "a corner of a square end would be ink"


def test_a_dot_is_drawn_too():
    assert on_sheet([np.array([[0.5, 0.5], [0.5, 0.5]])], 0.2).any()
