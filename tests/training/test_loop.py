import dataclasses
import itertools
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_core import errors, training
from mnist_core.analysis.calibration import choose_temperature, soften
from mnist_core.analysis.predictions import Predictions
from mnist_core.checkpoint import Checkpoint
from mnist_core.config import PRESETS, TrainConfig
from mnist_core.data import Dataset, scale, stratified_split
from mnist_core.drawing.synthetic import SCRIBBLE, load_drawn
from mnist_core.errors import CannotResume
from mnist_core.training import images as images_module
from mnist_core.training import loop, scoring, train
from mnist_core.training import steps as steps_module
from mnist_core.training.models import build_model
from mnist_core.training.optimizer import LearningRate, build_optimizer, learning_rate_schedule

SMALL = TrainConfig(dense=(32,), epochs=2, batch_size=32, learning_rate=0.01, seed=5)
SMALL_CNN = dataclasses.replace(
    PRESETS["cnn"],
    convolutions=((4, 5, 3),),
    dense=(8,),
    epochs=1,
    batch_size=64,
    drawn_digits=0,
)


@dataclass
class Trained:
    """A run and everything its callback was told."""

    result: training.TrainResult
    reports: list


@pytest.fixture(scope="module")
def trained(tiny_dataset) -> Trained:
    reports = []
    return Trained(train(SMALL, tiny_dataset, reports.append), reports)


@pytest.fixture(scope="module")
def trained_cnn(tiny_dataset) -> Trained:
    reports = []
    return Trained(train(SMALL_CNN, tiny_dataset, reports.append), reports)


def weights(result: training.TrainResult) -> np.ndarray:
    return np.concatenate([weight.ravel() for weight in result.model.get_weights()])


# --- what comes out ---


def test_a_tiny_run_learns(trained):
    assert trained.result.test_accuracy > 0.6
    assert trained.result.history["loss"][1] < trained.result.history["loss"][0]
    assert trained.result.history["accuracy"][1] > 0.6


def test_the_preset_network_learns_the_bundled_sample(sample):
    config = dataclasses.replace(PRESETS["classic"], epochs=2)
    assert train(config, sample).test_accuracy > 0.85


def test_the_result_says_what_was_done(trained):
    result = trained.result
    assert result.epochs == 2
    assert not result.stopped
    assert result.parameters == 784 * 32 + 32 + 32 * 10 + 10
    assert 0 < result.train_seconds < 60
    assert result.train_seconds == trained.reports[-1].seconds
    assert {name: len(values) for name, values in result.history.items()} == {
        "epoch": 2, "loss": 2, "accuracy": 2, "validation_loss": 2, "validation_accuracy": 2,
    }  # fmt: skip
    assert result.history["epoch"] == [1, 2]


def test_test_accuracy_is_that_of_the_probabilities_and_of_the_model(trained, tiny_dataset):
    result = trained.result
    assert result.test_probabilities.shape == (100, 10)
    assert result.test_probabilities.dtype == np.float32
    predictions = result.test_probabilities.argmax(axis=1)
    assert result.test_accuracy == (predictions == tiny_dataset.y_test).mean()
    assert result.model.predict(scale(tiny_dataset.x_test), verbose=0) == pytest.approx(
        result.test_probabilities, abs=1e-5
    )


def test_no_test_image_is_forgotten_in_the_last_batch(tiny_dataset, trained):
    images = np.concatenate([tiny_dataset.x_train, tiny_dataset.x_test, tiny_dataset.x_test])[:501]
    probabilities = scoring.predict(trained.result.model, images)
    assert probabilities.shape == (501, 10)
    assert probabilities[500] == pytest.approx(
        scoring.predict(trained.result.model, images[500:])[0], abs=1e-6
    )


# --- what the callback is told ---


@pytest.mark.parametrize("name", ["trained", "trained_cnn"])
def test_the_callback_is_told_plain_numbers_only(name, request):
    for report in request.getfixturevalue(name).reports:
        for field, value in dataclasses.asdict(report).items():
            kinds = (int,) if field == "step" else (float,)
            optional = (type(None),) if field.startswith("validation") else ()
            assert type(value) in kinds + optional, field


def test_steps_epochs_and_seconds_only_go_up(trained):
    for field in ("step", "epoch", "seconds"):
        values = [getattr(report, field) for report in trained.reports]
        assert all(later > earlier for earlier, later in itertools.pairwise(values))
    # 360 of 400 images in batches of 32: 11 full batches and one of 8.
    assert trained.reports[-1].step == 24
    assert trained.reports[-1].epoch == 2


def test_validation_is_told_at_the_end_of_each_epoch_and_only_there(trained):
    for report in trained.reports:
        at_the_end = report.step in (12, 24)
        assert (report.validation_loss is not None) == at_the_end
        assert (report.validation_accuracy is not None) == at_the_end
    assert [report.step for report in trained.reports].count(12) == 1
    ends = [report for report in trained.reports if report.validation_loss is not None]
    history = trained.result.history
    assert [end.epoch for end in ends] == history["epoch"]
    assert [end.validation_loss for end in ends] == history["validation_loss"]
    assert [end.validation_accuracy for end in ends] == history["validation_accuracy"]


def test_the_learning_rate_rises_and_then_falls_to_nothing(trained):
    rates = [report.learning_rate for report in trained.reports]
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert max(rates) <= SMALL.learning_rate * 1.0001
    assert rates[-1] == pytest.approx(0, abs=1e-6)


def test_an_epochs_accuracy_is_the_mean_over_its_images(trained):
    right = images = 0.0
    previous = 0
    for report in trained.reports:
        if report.step > 12:
            break
        seen = min(report.step * 32, 360) - min(previous * 32, 360)
        right += report.accuracy * seen
        images += seen
        previous = report.step
    assert images == 360
    assert trained.result.history["accuracy"][0] == pytest.approx(right / 360)


# --- repeatability ---


def test_the_same_seed_gives_the_same_network(trained_cnn, tiny_dataset):
    again = train(SMALL_CNN, tiny_dataset, lambda progress: None, lambda: False)
    assert (weights(again) == weights(trained_cnn.result)).all()
    assert (again.test_probabilities == trained_cnn.result.test_probabilities).all()


def test_another_seed_gives_another_network(trained, tiny_dataset):
    other = train(dataclasses.replace(SMALL, seed=6), tiny_dataset)
    assert (weights(other) != weights(trained.result)).any()


def test_each_epoch_and_each_seed_has_an_order_of_images_of_its_own(tiny_dataset, monkeypatch):
    orders, compile_steps = [], steps_module.compile_steps

    def listen(*arguments):
        run_steps = compile_steps(*arguments)

        def run_and_note(images, indices, *rest):
            orders.append(tuple(indices.tolist()))
            return run_steps(images, indices, *rest)

        return run_and_note

    monkeypatch.setattr(steps_module, "compile_steps", listen)
    for seed in (5, 6):
        # A network that no other test has: nothing that was compiled before is used.
        train(dataclasses.replace(SMALL, dense=(24,), seed=seed), tiny_dataset)
    orders = list(dict.fromkeys(orders))
    assert len(orders) == 4  # two epochs of each
    assert all(len(set(order)) == len(order) == 360 for order in orders)
    # Both epochs of a run train on the same images.
    assert sorted(orders[0]) == sorted(orders[1])
    assert sorted(orders[2]) == sorted(orders[3])
    # Each seed sets other images aside; the order of the rest is another one, too.
    assert len({tuple(np.searchsorted(sorted(order), order)) for order in orders}) == 4


def test_however_often_progress_is_told_the_network_is_the_same(trained, tiny_dataset, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_PER_CALL", 0.0)
    reports = []
    one_by_one = train(SMALL, tiny_dataset, reports.append)
    assert [report.step for report in reports] == list(range(1, 25))
    assert weights(one_by_one) == pytest.approx(weights(trained.result), abs=1e-6)


# --- stopping ---


def test_it_stops_when_told_to_and_keeps_the_network(tiny_dataset, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_PER_CALL", 0.0)
    reports = []
    result = train(SMALL, tiny_dataset, reports.append, lambda: len(reports) >= 3)
    assert result.stopped
    assert [report.step for report in reports] == [1, 2, 3]
    assert result.epochs == 0
    assert result.history["loss"] == []
    assert result.test_probabilities.shape == (100, 10)


def test_stopped_in_the_second_epoch_the_first_is_kept(tiny_dataset, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_PER_CALL", 0.0)
    reports = []
    result = train(
        SMALL, tiny_dataset, reports.append, lambda: bool(reports) and reports[-1].step >= 12
    )
    assert result.stopped
    assert result.epochs == 1
    assert len(result.history["validation_accuracy"]) == 1


def test_told_to_stop_before_the_first_step_nothing_is_trained(tiny_dataset):
    reports = []
    result = train(SMALL, tiny_dataset, reports.append, lambda: True)
    assert result.stopped
    assert reports == []
    assert result.train_seconds == 0
    # All but the last layer, whose logits were divided by the temperature.
    first = build_model(SMALL).get_weights()[:-2]
    for mine, theirs in zip(result.model.get_weights()[:-2], first, strict=True):
        assert (mine == theirs).all()


# --- going on ---


HARD = dataclasses.replace(SMALL_CNN, epochs=3, dropout=0.3, batch_size=128)


def stop_after(steps: int):
    """Stops a training that asks after each step."""
    asked = itertools.count()
    return lambda: next(asked) >= steps


def assert_same(
    one: training.TrainResult, other: training.TrainResult, rounding: float = 1e-6
) -> None:
    assert (weights(one) == weights(other)).all()
    # Sums of losses are rounded as the steps happen to be shared out among calls.
    for name, values in one.history.items():
        rel = rounding if name == "loss" else 0
        assert values == pytest.approx(other.history[name], rel=rel, abs=0)
    assert (one.test_probabilities == other.test_probabilities).all()


SHORT = dataclasses.replace(SMALL, batch_size=128)  # three steps an epoch


@pytest.mark.parametrize(
    "config",
    [
        SHORT,
        HARD,
        dataclasses.replace(SHORT, optimizer="momentum", schedule="linear", weight_decay=0.1),
        dataclasses.replace(SHORT, optimizer="sgd", schedule="constant"),
    ],
    ids=["classic", "dropout, normalisation, augmentation", "momentum", "sgd"],
)
def test_stopped_and_resumed_it_becomes_the_network_it_would_have_been(
    config, tiny_dataset, monkeypatch
):
    monkeypatch.setattr(loop, "SECONDS_PER_CALL", 0.0)
    whole = train(config, tiny_dataset)
    checkpoint = None
    # In the middle of an epoch, at its end, and in the middle of the next.
    for steps, reached in ((2, 2), (1, 3), (2, 5)):
        stopped = train(config, tiny_dataset, should_stop=stop_after(steps), checkpoint=checkpoint)
        assert stopped.stopped
        checkpoint = Checkpoint.from_bytes(stopped.checkpoint.to_bytes())
        assert (checkpoint.step, stopped.epochs) == (reached, reached // 3)
    resumed = train(config, tiny_dataset, checkpoint=checkpoint)
    assert not resumed.stopped
    assert resumed.train_seconds > checkpoint.seconds
    assert_same(resumed, whole, rounding=0)


def test_a_checkpoint_is_told_before_the_report_of_each_epochs_end(tiny_dataset):
    told = []
    whole = train(SMALL, tiny_dataset, told.append, None, told.append)
    places = [place for place, what in enumerate(told) if isinstance(what, Checkpoint)]
    assert [told[place].step for place in places] == [12, 24]
    assert [told[place + 1].step for place in places] == [12, 24]
    assert_same(train(SMALL, tiny_dataset, checkpoint=told[places[0]]), whole)
    # After the last step there is only the testing left.
    assert_same(train(SMALL, tiny_dataset, checkpoint=told[places[1]]), whole)


def test_more_epochs_on_a_finished_run_are_those_of_one_planned_so(tiny_dataset):
    longer = dataclasses.replace(HARD, epochs=1, more_epochs=(2,))
    first = train(dataclasses.replace(longer, more_epochs=()), tiny_dataset)
    assert_same(
        train(longer, tiny_dataset, checkpoint=first.checkpoint), train(longer, tiny_dataset)
    )


def test_a_run_may_go_on_after_its_end_more_than_once(tiny_dataset):
    config = dataclasses.replace(SHORT, epochs=1, more_epochs=(1, 2))
    checkpoint = None
    for more in ((), (1,), (1, 2)):
        step = dataclasses.replace(config, more_epochs=more)
        result = train(step, tiny_dataset, checkpoint=checkpoint)
        checkpoint = result.checkpoint
    assert result.history["epoch"] == [1, 2, 3, 4]
    assert_same(result, train(config, tiny_dataset))


def test_what_is_loaded_while_nobody_waits_changes_no_run(trained, tiny_dataset):
    steps_module.warm_up(tiny_dataset)
    assert_same(train(SMALL, tiny_dataset), trained.result)


def test_it_does_not_go_on_with_other_images_or_another_network(tiny_dataset, sample):
    checkpoint = train(SMALL, tiny_dataset).checkpoint
    with pytest.raises(CannotResume, match="no longer available"):
        train(SMALL, sample, checkpoint=checkpoint)
    for other in ({"dense": (16,)}, {"optimizer": "sgd"}, {"batch_normalization": True}):
        with pytest.raises(CannotResume, match="another layout"):
            train(dataclasses.replace(SMALL, **other), tiny_dataset, checkpoint=checkpoint)


def test_a_run_is_the_same_after_one_of_the_same_settings_and_another_seed(tiny_dataset):
    config = dataclasses.replace(SMALL, dropout=0.2, augmentation=True)
    alone = train(config, tiny_dataset)
    kept = [weights.copy() for weights in alone.model.get_weights()]
    train(dataclasses.replace(config, seed=1), tiny_dataset)
    again = train(config, tiny_dataset)
    for before, now, after in zip(
        kept, alone.model.get_weights(), again.model.get_weights(), strict=True
    ):
        assert (before == now).all(), "a later run must leave a finished network alone"
        assert (before == after).all()


# --- images for teaching ---


def test_so_many_images_are_chosen_of_each_digit_the_same_share(sample):
    config = dataclasses.replace(SMALL, training_images=360, drawn_digits=1000)
    few = images_module.choose_images(config, sample)
    whole = images_module.choose_images(dataclasses.replace(config, training_images=60_000), sample)
    # A tenth of the 3,600 there are, and of the drawings.
    assert len(whole.labels) == 3600 + 1000 + 100
    assert abs(len(few.labels) - 470) <= 5
    each, of = np.bincount(few.labels[:-110]), np.bincount(whole.labels[:3600])
    assert np.abs(each - 0.1 * of).max() <= 1
    assert (few.labels == SCRIBBLE).sum() == pytest.approx(10, abs=1)
    assert (few.validation == whole.validation).all()
    for count in (100, 101, 109):
        exactly = dataclasses.replace(config, training_images=count, drawn_digits=0)
        assert abs(len(images_module.choose_images(exactly, sample).labels) - count) <= 5


def test_each_chosen_place_holds_the_picture_of_its_label(sample):
    config = dataclasses.replace(SMALL, training_images=360, drawn_digits=1000)
    choice = images_module.choose_images(config, sample)
    drawn_images, drawn_labels = load_drawn()
    images = np.concatenate([sample.x_train, drawn_images])
    labels = np.concatenate([sample.y_train, drawn_labels])
    assert (images_module.shared_images(sample).numpy()[choice.fit] == images[choice.fit]).all()
    assert (labels[choice.fit] == choice.labels).all()
    assert not set(choice.fit) & set(choice.validation)


def test_the_same_seed_chooses_and_shuffles_the_same(sample):
    config = dataclasses.replace(SMALL, training_images=500, shuffled_labels=0.5)
    one, again = (images_module.choose_images(config, sample) for _ in range(2))
    other = images_module.choose_images(dataclasses.replace(config, seed=6), sample)
    assert (one.fit == again.fit).all()
    assert (one.labels == again.labels).all()
    assert set(one.fit) != set(other.fit)


def test_shuffled_labels_are_the_same_ones_dealt_out_anew(sample):
    before = sample.y_train.copy()
    config = dataclasses.replace(SMALL, drawn_digits=1000)
    true = images_module.choose_images(config, sample)
    for share in (0.5, 1.0):
        shuffled = images_module.choose_images(
            dataclasses.replace(config, shuffled_labels=share), sample
        )
        assert (np.sort(shuffled.labels) == np.sort(true.labels)).all()
        assert (shuffled.fit == true.fit).all()
        assert ((true.labels == SCRIBBLE) == (shuffled.labels == SCRIBBLE)).all()
        assert (shuffled.validation == true.validation).all()
        # One in ten gets its own label back by chance.
        wrong = (shuffled.labels != true.labels)[true.labels != SCRIBBLE].mean()
        assert wrong == pytest.approx(0.9 * share, abs=0.03)
    assert (sample.y_train == before).all()


def test_of_labels_that_mean_nothing_nothing_is_learnt(tiny_dataset):
    result = train(dataclasses.replace(SMALL, shuffled_labels=1.0), tiny_dataset)
    assert result.test_accuracy < 0.35


# --- honesty ---


def test_test_images_are_looked_at_only_after_the_last_step(tiny_dataset):
    log = []

    class Watched(Dataset):
        def __getattribute__(self, name):
            if name in ("x_test", "y_test", "test_fingerprint"):
                log.append(name)
            return super().__getattribute__(name)

    watched = Watched(**dataclasses.asdict(tiny_dataset))
    log.clear()
    result = train(SMALL, watched, lambda progress: log.append(progress.step), lambda: 24 in log)
    assert not result.stopped  # told to only after the last step
    assert log.index("x_test") > log.index(24)
    assert log.index("y_test") > log.index(24)


def test_validation_images_are_never_trained_on_and_listeners_change_nothing(trained, tiny_dataset):
    _, validation = stratified_split(tiny_dataset.y_train, 0.1, SMALL.seed)
    blank = tiny_dataset.x_train.copy()
    blank[validation] = 0
    other = dataclasses.replace(tiny_dataset, x_train=blank)
    result = train(SMALL, other)
    # The last layer was divided by a temperature that those images chose.
    for mine, theirs in zip(
        result.model.get_weights()[:-2], trained.result.model.get_weights()[:-2], strict=True
    ):
        assert (mine == theirs).all()
    assert result.calibration != trained.result.calibration


def test_a_loss_that_is_no_number_ends_the_run_with_advice(tiny_dataset, monkeypatch):
    def build_broken_model(config):
        model = build_model(config)
        kernel = model.layers[-1].kernel
        kernel.assign(np.full(kernel.shape, np.nan, np.float32))
        return model

    monkeypatch.setattr(loop, "build_model", build_broken_model)
    reports = []
    with pytest.raises(errors.Diverged) as caught:
        train(SMALL, tiny_dataset, reports.append)
    assert str(caught.value) == (
        "The loss stopped being a number at step 1. Try a learning rate below 0.01."
    )
    assert reports == []


@pytest.mark.parametrize(
    ("config", "reference", "tolerance"),
    [
        (dataclasses.replace(SMALL, label_smoothing=0.1), keras.optimizers.Adam, 1e-5),
        # Weights of pixels that are hardly ever inked have gradients next to nothing, and
        # Adam makes steps as long as any other of their rounding.
        (dataclasses.replace(SMALL, batch_normalization=True), keras.optimizers.Adam, 3e-3),
        (
            dataclasses.replace(SMALL, optimizer="momentum", weight_decay=0.1),
            partial(keras.optimizers.SGD, momentum=0.9, nesterov=True, weight_decay=0.1),
            1e-5,
        ),
        (dataclasses.replace(SMALL, optimizer="sgd"), keras.optimizers.SGD, 1e-5),
    ],
    ids=["smoothed labels", "normalisation", "momentum", "sgd"],
)
def test_the_compiled_steps_do_what_keras_fit_does(config, reference, tolerance, tiny_dataset):
    images, labels = tiny_dataset.x_train, tiny_dataset.y_train
    order = np.random.default_rng(0).permutation(len(images))
    steps = 13  # 12 batches of 32 and one of 16

    by_keras = build_model(config)
    by_keras.compile(
        reference(LearningRate("cosine", config.learning_rate, [steps])),
        keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing),
    )
    targets = keras.utils.to_categorical(labels[order], 10)
    history = by_keras.fit(
        scale(images[order]), targets, batch_size=32, epochs=1, shuffle=False, verbose=0
    )

    ours = build_model(config)
    optimizer = build_optimizer(config, LearningRate("cosine", config.learning_rate, [steps]))
    optimizer.build(ours.trainable_variables)
    run_steps = steps_module.compile_steps(ours, optimizer, config)
    seen = tf.constant(images), order, labels[order]
    first_loss, _ = run_steps(*seen, 0, 5, 0, 1.0, config.seed)
    second_loss, _ = run_steps(*seen, 5, 8, 5, 1.0, config.seed)

    for mine, theirs in zip(ours.get_weights(), by_keras.get_weights(), strict=True):
        assert np.allclose(mine, theirs, rtol=1e-3, atol=tolerance)
    assert float(first_loss + second_loss) / 400 == pytest.approx(
        history.history["loss"][0], rel=1e-4
    )


def test_a_line_falls_as_far_as_a_cosine_and_constant_is_constant():
    line = LearningRate("linear", 0.01, [100])
    assert [float(line(step)) for step in (0, 5, 10, 55, 100)] == pytest.approx(
        [0.0005, 0.00525, 0.01, 0.005, 0]
    )
    constant = LearningRate("constant", 0.01, [100])
    assert [float(constant(step)) for step in (0, 50, 99)] == pytest.approx([0.01] * 3)


@pytest.mark.parametrize("kind", ["cosine", "linear"])
def test_epochs_added_later_begin_with_a_tenth_of_the_rate(kind):
    rate = LearningRate(kind, 0.01, [100, 50, 50])
    assert float(rate(10)) == pytest.approx(0.01)
    assert [float(rate(step)) for step in (105, 155)] == pytest.approx([0.001, 0.001])
    assert float(rate(100)) == float(rate(150)) == pytest.approx(0.00005)
    assert float(rate(200)) == pytest.approx(0, abs=1e-8)


def test_a_constant_rate_is_a_tenth_in_epochs_added_later():
    rate = LearningRate("constant", 0.01, [100, 50])
    assert [float(rate(step)) for step in (0, 99, 100, 150)] == pytest.approx(
        [0.01, 0.01, 0.001, 0.001]
    )


def test_each_part_falls_by_its_own_length():
    line = LearningRate("linear", 0.01, [100, 50])
    cosine = LearningRate("cosine", 0.01, [100, 50])
    # Half-way down: 5 of the 50 steps go up, 45 down.
    assert float(line(100 + 5 + 9)) == pytest.approx(0.0008)
    assert float(cosine(100 + 5 + 15)) == pytest.approx(0.00075)  # 60 degrees
    assert float(cosine(10 + 30)) == pytest.approx(0.0075)


def test_the_settings_say_how_long_each_part_is():
    config = dataclasses.replace(SMALL, schedule="linear", epochs=2, more_epochs=(1,))
    rate = learning_rate_schedule(config, steps_per_epoch=10)
    assert [float(rate(step)) for step in (2, 11, 20, 21, 30)] == pytest.approx(
        [0.01, 0.005, 0.00005, 0.001, 0]
    )


def test_the_schedule_warms_up_over_a_tenth_of_the_steps():
    schedule = LearningRate("cosine", 0.01, [200])
    rates = [float(schedule(step)) for step in range(201)]
    assert rates[0] == pytest.approx(0.0005)
    assert rates[20] == pytest.approx(0.01)
    assert rates[110] == pytest.approx(0.005, rel=1e-3)
    assert rates[200] == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_shortest_run_has_a_schedule(steps):
    schedule = LearningRate("cosine", 0.01, [steps])
    assert all(0 <= float(schedule(step)) <= 0.0101 for step in range(steps + 1))


def test_cross_entropy_agrees_with_a_hand_worked_example():
    probabilities = np.zeros((3, 10), np.float32)
    probabilities[0, 2] = 1
    probabilities[1, [3, 4]] = [0.25, 0.75]
    probabilities[2, 5] = 1
    labels = np.array([2, 3, 5], np.uint8)
    assert scoring.cross_entropy(Predictions(labels, probabilities)) == pytest.approx(np.log(4) / 3)
    certain_and_wrong = Predictions(np.array([9], np.uint8), probabilities[:1])
    assert np.isfinite(scoring.cross_entropy(certain_and_wrong))


# --- drawn digits and doubts ---


def test_a_scribble_teaches_that_every_digit_is_as_likely(tiny_dataset):
    images = tiny_dataset.x_train[:64]
    labels = np.full(64, SCRIBBLE, np.uint8)
    config = dataclasses.replace(SMALL, batch_size=64)
    model = build_model(config)
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)
    run_steps = steps_module.compile_steps(model, optimizer, config)
    seen = tf.constant(images), np.arange(64), labels
    _, correct = run_steps(*seen, 0, 1, 0, 1.0, config.seed)
    assert float(correct) == 0, "no answer to a scribble is right"
    for step in range(1, 200):
        run_steps(*seen, 0, 1, step, 1.0, config.seed)
    assert np.abs(scoring.predict(model, images) - 0.1).max() < 0.05


def draw_only_scribbles(monkeypatch, images):
    """Let these be the drawings that come with the project."""
    labels = np.full(len(images), SCRIBBLE, np.uint8)
    monkeypatch.setattr(images_module, "load_drawn", lambda: (images, labels))
    monkeypatch.setattr(
        images_module, "choose_drawn", lambda digits: (np.arange(digits), labels[:digits])
    )


def test_drawn_digits_are_trained_on_and_scribbles_count_for_no_accuracy(tiny_dataset, monkeypatch):
    draw_only_scribbles(monkeypatch, tiny_dataset.x_test[:64])
    config = dataclasses.replace(SMALL, drawn_digits=64)
    reports = []
    # Another dataset than the one whose images, with the real drawings, are kept.
    result = train(config, dataclasses.replace(tiny_dataset), reports.append)
    # 360 digits and 64 scribbles in batches of 32.
    assert reports[-1].step == 2 * 14
    assert result.history["accuracy"][1] > 0.6
    assert result.test_accuracy > 0.6


def test_a_network_that_saw_scribbles_doubts_them_more(tiny_dataset, monkeypatch):
    scribbles = np.random.default_rng(0).integers(0, 256, (200, 28, 28)).astype(np.uint8)
    draw_only_scribbles(monkeypatch, scribbles[:100])
    other = dataclasses.replace(tiny_dataset)
    best = [
        scoring.predict(train(config, other).model, scribbles[100:]).max(axis=1).mean()
        for config in (SMALL, dataclasses.replace(SMALL, drawn_digits=64))
    ]
    assert best[1] < best[0] - 0.1


def test_the_trained_network_is_calibrated_on_the_validation_images(trained, tiny_dataset):
    _, validation = stratified_split(tiny_dataset.y_train, 0.1, SMALL.seed)
    probabilities = scoring.predict(trained.result.model, tiny_dataset.x_train[validation])
    # Were it not, another temperature than 1 would suit it better.
    again = choose_temperature(Predictions(tiny_dataset.y_train[validation], probabilities))
    assert again == pytest.approx(1, abs=0.05)


def test_dividing_the_logits_keeps_the_answers_and_their_order(tiny_dataset):
    model = build_model(SMALL)
    before = scoring.predict(model, tiny_dataset.x_test)
    scoring.divide_logits(model, 2.0)
    after = scoring.predict(model, tiny_dataset.x_test)
    assert (after.argmax(axis=1) == before.argmax(axis=1)).all()
    np.testing.assert_allclose(after, soften(before, 2.0), atol=1e-5)
