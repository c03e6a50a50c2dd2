import dataclasses

import pytest

from mnist_core import forecast
from mnist_core.config import PRESETS
from mnist_core.runs import FINISHED, RUNNING, Run
from tests.helpers import reports

CLASSIC = PRESETS["classic"]


def ended(config, train_seconds: float) -> Run:
    return Run("x", FINISHED, config, 0.0, train_seconds=train_seconds, epochs=config.all_epochs)


def test_a_run_takes_as_long_as_the_last_one_like_it():
    config = dataclasses.replace(CLASSIC, epochs=16)
    runs = [ended(PRESETS["cnn"], 1e5), ended(CLASSIC, 10.0), ended(CLASSIC, 99.0)]
    assert forecast.expected_seconds(config, runs) == pytest.approx(20 + forecast.SECONDS_AFTER)


def test_any_run_tells_how_fast_the_machine_is():
    usual = forecast.expected_seconds(PRESETS["cnn"], []) - forecast.SECONDS_AFTER
    pace = 30 / forecast.work(CLASSIC, CLASSIC.epochs)
    slow = forecast.expected_seconds(PRESETS["cnn"], [ended(CLASSIC, 30.0)])
    assert slow == pytest.approx(pace * usual + forecast.SECONDS_AFTER)


def test_runs_that_never_trained_tell_nothing():
    run = dataclasses.replace(ended(CLASSIC, 0.0), epochs=0, train_seconds=None)
    assert forecast.expected_seconds(CLASSIC, [run]) == forecast.expected_seconds(CLASSIC, [])


@pytest.mark.parametrize(("preset", "low", "high"), [("classic", 4, 16), ("cnn", 80, 500)])
def test_without_any_run_the_guess_is_of_the_right_size(preset, low, high):
    assert low < forecast.expected_seconds(PRESETS[preset], []) < high


def test_a_running_training_goes_on_at_its_pace():
    # 0.05 s an epoch, 2.4 of 8 epochs done.
    assert forecast.seconds_left(CLASSIC, reports(12)) == pytest.approx(0.05 * 5.6)
    assert forecast.seconds_left(CLASSIC, reports(1)) is None
    assert forecast.seconds_left(CLASSIC, reports(60)) == 0


def test_the_wait_is_that_of_all_before_shared_by_the_workers():
    running = dataclasses.replace(ended(CLASSIC, 0.0), state=RUNNING)
    waiting = ended(CLASSIC, 0.0)
    before = [(running, reports(12)), (waiting, [])]
    one = forecast.seconds_until_turn(before, [ended(CLASSIC, 8.0)], 1)
    assert one == pytest.approx(0.28 + 8 + 2 * forecast.SECONDS_AFTER)
    assert forecast.seconds_until_turn(before, [ended(CLASSIC, 8.0)], 2) == pytest.approx(one / 2)
    assert forecast.seconds_until_turn([], [], 1) == 0


def test_a_sweep_takes_as_long_as_its_runs_one_after_another_or_beside_each_other():
    configs = [dataclasses.replace(CLASSIC, epochs=epochs) for epochs in (2, 2, 4)]
    each = [forecast.expected_seconds(config, []) for config in configs]
    assert forecast.sweep_seconds(configs, [], 1) == pytest.approx(sum(each))
    assert forecast.sweep_seconds(configs, [], 2) == pytest.approx(sum(each) / 2)
    assert forecast.sweep_seconds(configs, [], 9) == max(each)
    assert forecast.sweep_seconds(configs, [], 0) == pytest.approx(sum(each))
    assert forecast.sweep_seconds([], [], 1) == 0
