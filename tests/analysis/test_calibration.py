import numpy as np
import pytest

from mnist_core.analysis import calibration
from mnist_core.analysis.calibration import (
    NO_DIGIT,
    SURE,
    UNSURE,
    Calibration,
    calibrate,
    choose_temperature,
    choose_threshold,
    soften,
    two_likeliest,
)
from mnist_core.analysis.predictions import Predictions


def spread(*shares: float) -> np.ndarray:
    """Ten probabilities that begin with these; the others share the rest."""
    rest = (1 - sum(shares)) / (10 - len(shares))
    return np.array([*shares, *[rest] * (10 - len(shares))], np.float32)


def network(sharpness: float, count: int = 20_000) -> Predictions:
    """Probabilities of a network that is as right as it says, then made this much surer."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (count, 10))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (honest.cumsum(axis=1) < random.random((count, 1))).sum(axis=1)
    return Predictions(labels, soften(honest, 1 / sharpness))


def read_as_zero(labels: list[int], confidences: list[float]) -> Predictions:
    return Predictions(np.array(labels), np.stack([spread(share) for share in confidences]))


@pytest.mark.parametrize(
    ("probabilities", "verdict"),
    [
        (spread(0.95), SURE),
        (spread(0.8), SURE),
        (spread(0.79, 0.2), UNSURE),
        (spread(0.5, 0.45), UNSURE),
        (spread(0.1), NO_DIGIT),
        (spread(0.3, 0.15), NO_DIGIT),
    ],
)
def test_it_is_sure_of_clear_digits_doubts_between_two_and_sees_none_in_a_scribble(
    probabilities, verdict
):
    assert Calibration(sure_from=0.8, digit_from=0.6).verdict(probabilities) == verdict


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.5])
def test_the_temperature_undoes_what_made_a_network_too_sure_or_too_shy(sharpness):
    assert choose_temperature(network(sharpness)) == pytest.approx(sharpness, rel=0.05)


def test_a_temperature_of_one_changes_nothing_and_a_high_one_flattens():
    probabilities = np.stack([spread(0.7, 0.2), spread(0.1)])
    np.testing.assert_allclose(soften(probabilities, 1.0), probabilities, atol=1e-6)
    softer = soften(probabilities, 3.0)
    assert softer[0].max() < 0.7
    np.testing.assert_allclose(softer.sum(axis=1), 1)
    assert (softer.argmax(axis=1) == probabilities.argmax(axis=1)).all()


def test_a_hand_worked_temperature():
    # Logits 0 and ln 4 at temperature 2 are 0 and ln 2: probabilities 1/3 and 2/3.
    np.testing.assert_allclose(soften(np.array([[0.2, 0.8]]), 2.0), [[1 / 3, 2 / 3]])


def test_probabilities_of_exactly_nothing_stay_numbers():
    certain = np.eye(10, dtype=np.float32)
    assert np.isfinite(soften(certain, 0.3)).all()
    assert 0.2 <= choose_temperature(Predictions(np.arange(10), certain)) <= 5


def test_the_threshold_weighs_doubts_against_wrong_answers():
    # Doubting the two lowest avoids one wrong answer (worth 5 doubts); doubting five more
    # to avoid the next one would cost as much as it gains.
    confidences = [0.30, 0.40, 0.50, 0.60, 0.70, 0.80, 0.85, 0.90, 0.95, 0.99]
    labels = [0, 1, 0, 0, 0, 0, 0, 1, 0, 0]
    assert choose_threshold(read_as_zero(labels, confidences)) == pytest.approx(0.50)


def test_who_is_never_wrong_never_doubts():
    assert choose_threshold(read_as_zero([0] * 3, [0.4, 0.6, 0.9])) == pytest.approx(0.4)


def test_of_the_digits_it_was_chosen_on_hardly_any_is_called_none():
    predictions = network(1.5)
    found = calibrate(predictions)
    calibrated = soften(predictions.probabilities, found.temperature)
    refused = np.mean([found.verdict(row) == NO_DIGIT for row in calibrated])
    assert refused <= calibration.MOST_REFUSED + 1 / len(calibrated)


def test_answers_given_without_doubt_are_right_more_often_than_all():
    predictions = network(2.0)
    found = calibrate(predictions)
    calibrated = soften(predictions.probabilities, found.temperature)
    right = predictions.correct
    sure = np.array([found.verdict(row) == SURE for row in calibrated])
    assert right[sure].mean() > right.mean() + 0.05
    assert 0.1 < sure.mean() < 1


def test_the_two_likeliest_are_added_up():
    assert two_likeliest(spread(0.5, 0.3)) == pytest.approx(0.8)
    np.testing.assert_allclose(
        two_likeliest(np.stack([spread(0.5, 0.3), spread(0.1)])), [0.8, 0.2], atol=1e-6
    )


def test_a_calibration_is_read_as_it_was_written():
    written = Calibration(1.25, 0.75, 0.5)
    assert Calibration.from_json(written.to_json()) == written
    assert Calibration.from_json(written.to_json().encode()) == written
