import contextlib
import io

import numpy as np
import pytest

from mnist_core.analysis.predictions import Predictions
from tests.helpers import answered, corruptions


def test_an_answer_is_the_most_probable_digit_and_its_confidence_that_probability():
    given = Predictions(np.uint8([1, 2]), np.float32([[0.2, 0.7, 0.1], [1.0000002, 0, 0]]))
    assert given.answers.tolist() == [1, 0]
    # Never more than 1.
    assert given.confidences.tolist() == [np.float32(0.7), 1]
    assert given.correct.tolist() == [True, False]


def test_rows_of_the_matrix_are_true_digits_and_columns_are_predicted_ones():
    matrix = answered([4, 4, 4, 4, 9, 9, 7, 0], [4, 4, 4, 9, 9, 9, 9, 0]).matrix
    assert matrix.shape == (10, 10)
    assert (matrix[4, 4], matrix[4, 9], matrix[9, 4]) == (3, 1, 0)
    assert (matrix[9, 9], matrix[7, 9], matrix[0, 0]) == (2, 1, 1)
    assert matrix.sum() == 8


def test_labels_as_bytes_do_not_overflow():
    assert answered([9] * 300, [9] * 300).matrix[9, 9] == 300


def test_no_images_give_an_empty_matrix():
    matrix = answered([], []).matrix
    assert matrix.shape == (10, 10)
    assert matrix.sum() == 0


def test_the_matrix_is_the_one_of_scikit_learn():
    from sklearn import metrics

    labels, answers = np.random.default_rng(0).integers(0, 10, (2, 500))
    theirs = metrics.confusion_matrix(labels, answers, labels=range(10))
    assert (answered(labels, answers).matrix == theirs).all()


def test_predictions_are_read_as_they_were_written():
    labels = np.arange(17, dtype=np.uint8) % 10
    probabilities = np.random.default_rng(0).random((17, 10), np.float32)
    read = Predictions.from_bytes(Predictions(labels, probabilities).to_bytes())
    assert (read.probabilities == probabilities).all()
    assert (read.labels == labels).all()
    assert (read.probabilities.dtype, read.labels.dtype) == (np.float32, np.uint8)


def archive(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"no archive",
        archive(probabilities=np.ones((3, 10))),
        archive(labels=np.zeros(3)),
        archive(probabilities=np.ones((3, 10)), labels=np.zeros(2)),
        archive(probabilities=np.ones((3, 10)), labels=np.zeros((3, 1))),
        archive(probabilities=np.ones((3, 9)), labels=np.zeros(3)),
        archive(probabilities=np.ones(3), labels=np.zeros(3)),
        archive(probabilities=np.ones(10), labels=np.array(3)),
        archive(probabilities=np.ones((0, 10)), labels=np.zeros(0)),
    ],
)
def test_anything_else_is_refused(content):
    with pytest.raises(ValueError, match="Expected"):
        Predictions.from_bytes(content)


def test_damaged_predictions_are_refused_or_read():
    written = Predictions(np.arange(30) % 10, np.ones((30, 10))).to_bytes()
    for damaged in corruptions(written, 300):
        with contextlib.suppress(ValueError):
            Predictions.from_bytes(damaged)
