import dataclasses

import pytest

from mnist_core.config import PRESETS
from mnist_core.jobs import forecast
from mnist_core.store.run import FINISHED, RUNNING, Run
from tests.helpers import reports

CLASSIC = PRESETS["classic"]


MNIST, SAMPLE = 60_000, 4000


def ended(config, train_seconds: float, images: int = MNIST) -> Run:
    return Run(
        "x",
        FINISHED,
        config,
        0.0,
        train_seconds=train_seconds,
        epochs=config.all_epochs,
        training_images=images,
    )


def expected_seconds(config, runs: list[Run], images: int = MNIST) -> float:
    return forecast.expected_seconds(config, runs, images)


def test_a_run_on_the_sample_foretells_one_on_all_of_mnist():
    # 3,600 images and 11,000 drawings an epoch; then 54,000 and as many drawings.
    cnn = PRESETS["cnn"]
    seconds = expected_seconds(cnn, [ended(cnn, 40.0, SAMPLE)]) - forecast.SECONDS_AFTER
    assert seconds == pytest.approx(40 * 65_000 / 14_600)
    back = expected_seconds(cnn, [ended(cnn, 178.0)], SAMPLE) - forecast.SECONDS_AFTER
    assert back == pytest.approx(40, abs=0.1)


def test_fewer_images_take_less_time_and_fewer_drawings_come_along():
    tenth = dataclasses.replace(CLASSIC, training_images=5400)
    whole, part = (
        expected_seconds(config, []) - forecast.SECONDS_AFTER for config in (CLASSIC, tenth)
    )
    assert part == pytest.approx(whole / 10, rel=0.01)
    # There are no more in the sample.
    assert expected_seconds(tenth, [], SAMPLE) == expected_seconds(CLASSIC, [], SAMPLE)


@pytest.mark.parametrize("changes", [{}, {"training_images": 100}, {"drawn_digits": 0}])
@pytest.mark.parametrize("preset", ["classic", "cnn"])
def test_an_epoch_sees_as_many_images_as_training_chooses(preset, changes, sample):
    from mnist_core.training.images import choose_images

    config = dataclasses.replace(PRESETS[preset], **changes)
    chosen = len(choose_images(config, sample).labels)
    assert forecast.images_per_epoch(config, len(sample.x_train)) == pytest.approx(chosen, abs=10)


def test_a_run_of_unknown_data_foretells_nothing():
    run = dataclasses.replace(ended(CLASSIC, 1e6), training_images=None)
    assert expected_seconds(CLASSIC, [run]) == expected_seconds(CLASSIC, [])


def test_a_run_that_goes_on_takes_only_the_time_of_its_last_epochs():
    # 54,000 images and 3,300 drawings in batches of 256 are 224 steps an epoch.
    waiting = dataclasses.replace(ended(CLASSIC, 0.0), checkpoint_step=6 * 224)
    seconds = forecast.seconds_until_turn([(waiting, [])], [ended(CLASSIC, 8.0)], 1, MNIST)
    assert seconds == pytest.approx(2 + forecast.SECONDS_AFTER)


def test_a_run_takes_as_long_as_the_last_one_like_it():
    config = dataclasses.replace(CLASSIC, epochs=16)
    runs = [ended(PRESETS["cnn"], 1e5), ended(CLASSIC, 10.0), ended(CLASSIC, 99.0)]
    assert expected_seconds(config, runs) == pytest.approx(20 + forecast.SECONDS_AFTER)


def test_any_run_tells_how_fast_the_machine_is():
    usual = expected_seconds(PRESETS["cnn"], []) - forecast.SECONDS_AFTER
    pace = 30 / forecast.work(CLASSIC, CLASSIC.epochs, MNIST)
    slow = expected_seconds(PRESETS["cnn"], [ended(CLASSIC, 30.0)])
    assert slow == pytest.approx(pace * usual + forecast.SECONDS_AFTER)


def test_runs_that_never_trained_tell_nothing():
    run = dataclasses.replace(ended(CLASSIC, 0.0), epochs=0, train_seconds=None)
    assert expected_seconds(CLASSIC, [run]) == expected_seconds(CLASSIC, [])


@pytest.mark.parametrize(("preset", "low", "high"), [("classic", 4, 16), ("cnn", 80, 500)])
def test_without_any_run_the_guess_is_of_the_right_size(preset, low, high):
    assert low < expected_seconds(PRESETS[preset], []) < high


def test_a_running_training_goes_on_at_its_pace():
    # 0.05 s an epoch, 2.4 of 8 epochs done.
    assert forecast.seconds_left(CLASSIC, reports(12)) == pytest.approx(0.05 * 5.6)
    assert forecast.seconds_left(CLASSIC, reports(1)) is None
    assert forecast.seconds_left(CLASSIC, reports(60)) == 0


def test_the_wait_is_that_of_all_before_shared_by_the_workers():
    running = dataclasses.replace(ended(CLASSIC, 0.0), state=RUNNING)
    waiting = ended(CLASSIC, 0.0)
    before = [(running, reports(12)), (waiting, [])]
    one = forecast.seconds_until_turn(before, [ended(CLASSIC, 8.0)], 1, MNIST)
    assert one == pytest.approx(0.28 + 8 + 2 * forecast.SECONDS_AFTER)
    assert forecast.seconds_until_turn(before, [ended(CLASSIC, 8.0)], 2, MNIST) == pytest.approx(
        one / 2
    )
    assert forecast.seconds_until_turn([], [], 1, MNIST) == 0


def test_a_sweep_takes_as_long_as_its_runs_one_after_another_or_beside_each_other():
    configs = [dataclasses.replace(CLASSIC, epochs=epochs) for epochs in (2, 2, 4)]
    each = [expected_seconds(config, []) for config in configs]
    assert forecast.sweep_seconds(configs, [], 1, MNIST) == pytest.approx(sum(each))
    assert forecast.sweep_seconds(configs, [], 2, MNIST) == pytest.approx(sum(each) / 2)
    assert forecast.sweep_seconds(configs, [], 9, MNIST) == max(each)
    assert forecast.sweep_seconds(configs, [], 0, MNIST) == pytest.approx(sum(each))
    assert forecast.sweep_seconds([], [], 1, MNIST) == 0
