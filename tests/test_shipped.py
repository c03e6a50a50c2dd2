import dataclasses
import itertools
import json
import os

import numpy as np
import pytest

from mnist_core import shipped
from mnist_core.analysis import metrics
from mnist_core.analysis.calibration import NO_DIGIT, SURE, Calibration
from mnist_core.analysis.predictions import Predictions
from mnist_core.classifier import PRETRAINED, Classifier
from mnist_core.config import PRESETS
from mnist_core.drawing import STEPS
from mnist_core.drawing import benchmark as benchmark_module
from mnist_core.errors import RunNotFound
from mnist_core.shipped import export_run, shipped_artifact, shipped_metrics, shipped_runs
from mnist_core.store.names import title
from mnist_core.store.run import CALIBRATION, FINISHED, KERAS, LITERT, PREDICTIONS
from tests.helpers import finished_run, reports

FLOORS = {"classic": 0.98, "cnn": 0.992}


def test_the_networks_for_every_day_ship_as_finished_runs():
    assert set(shipped_runs()) == {*FLOORS, shipped.SAMPLE}
    for name, run in shipped_runs().items():
        assert run.id == name
        assert (run.state, run.shipped, run.owner, run.active) == (FINISHED, True, "", False)


@pytest.mark.parametrize("name", FLOORS)
def test_a_shipped_run_was_trained_and_tested_on_the_whole_of_mnist(name):
    assert shipped_runs()[name].dataset == "MNIST: 60,000 training and 10,000 test images"


@pytest.mark.parametrize("name", FLOORS)
def test_a_shipped_run_is_its_preset_as_it_is_now(name):
    run = shipped_runs()[name]
    assert dataclasses.replace(run.config, seed=0) == PRESETS[name]
    assert run.epochs == PRESETS[name].epochs


@pytest.mark.parametrize(("name", "floor"), FLOORS.items())
def test_a_shipped_run_is_as_accurate_as_it_should_be(name, floor):
    assert shipped_runs()[name].test_accuracy >= floor


def test_one_shipped_run_was_trained_and_tested_on_the_bundled_sample(sample):
    run = shipped_runs()[shipped.SAMPLE]
    assert run.dataset == "Bundled sample of MNIST: 4,000 training and 1,000 test images"
    assert run.test_fingerprint == sample.test_fingerprint
    assert run.config == PRESETS["cnn"]
    assert title(run) == "sample · built-in"
    # The stored predictions are those of its network for the sample's own test images.
    predictions = Predictions.from_bytes(shipped_artifact(run.id, PREDICTIONS))
    assert (predictions.labels == sample.y_test).all()
    assert 0.98 < predictions.correct.mean() == run.test_accuracy
    network = Classifier(shipped_artifact(run.id, LITERT), run.config.looks)
    answers = network.predict_proba(sample.x_test[:50])
    assert answers == pytest.approx(predictions.probabilities[:50], abs=1e-4)
    # Images it was trained on would be classified better than images it never saw: of 4,000,
    # 400 of which it was not trained on either, next to none is misclassified.
    trained = network.predict_proba(sample.x_train[:1000]).argmax(axis=1)
    assert (trained == sample.y_train[:1000]).mean() > run.test_accuracy


@pytest.mark.parametrize("name", FLOORS)
def test_stored_predictions_agree_with_the_stated_accuracy(name):
    run = shipped_runs()[name]
    predictions = Predictions.from_bytes(shipped_artifact(name, PREDICTIONS))
    assert predictions.probabilities.shape == (10_000, 10)
    assert np.bincount(predictions.labels).tolist() == [  # MNIST's test images, digit by digit
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert predictions.probabilities.sum(axis=1) == pytest.approx(np.ones(10_000), abs=1e-4)
    assert predictions.correct.mean() == pytest.approx(run.test_accuracy)


@pytest.mark.parametrize("name", shipped_runs())
def test_shipped_curves_are_there_and_end_where_the_run_did(name):
    run, curves = shipped_runs()[name], shipped_metrics(name)
    assert 50 <= len(curves) <= shipped.MOST_REPORTS + run.epochs + 1
    steps = [report.step for report in curves]
    assert steps == sorted(set(steps))
    assert curves[-1].epoch == pytest.approx(run.epochs)
    assert curves[-1].seconds == pytest.approx(run.train_seconds)
    assert sum(report.validation_accuracy is not None for report in curves) == run.epochs


@pytest.mark.parametrize("name", FLOORS)
def test_the_shipped_network_has_as_many_parameters_as_stated(name):
    # The classic one's are counted by hand: 784*128+128 + 128*64+64 + 64*10+10.
    assert shipped_runs()["classic"].parameters == 109_386
    assert shipped_runs()[name].parameters > 1000


@pytest.mark.parametrize("name", FLOORS)
def test_the_classifier_is_the_shipped_runs_network(name, sample):
    images = sample.x_test[:20]
    network = Classifier(shipped_artifact(name, LITERT), PRESETS[name].looks)
    assert (network.predict_proba(images) == Classifier.bundled(name).predict_proba(images)).all()


def test_all_shipped_files_together_stay_small():
    sizes = [path.stat().st_size for path in PRETRAINED.rglob("*") if path.is_file()]
    assert sum(sizes) < 6_000_000


@pytest.mark.parametrize("name", ["nothing", "", "..", "../pretrained/classic", "/etc"])
def test_what_does_not_ship_is_not_found(name):
    for action in (lambda: shipped_metrics(name), lambda: shipped_artifact(name, KERAS)):
        with pytest.raises(RunNotFound, match="No built-in run is called"):
            action()


def test_an_exported_run_can_be_shipped(store, tmp_path, monkeypatch):
    run = finished_run(store, config=dataclasses.replace(PRESETS["classic"], seed=7), steps=700)
    artifacts = {kind: store.artifact(run.id, kind) for kind in (KERAS, LITERT, PREDICTIONS)}
    export_run(run, store.metrics(run.id), artifacts, tmp_path / "new" / "mine")

    assert sorted(os.listdir(tmp_path / "new" / "mine")) == [
        "model.keras", "model.tflite", "predictions.npz", "run.json",
    ]  # fmt: skip
    monkeypatch.setattr(shipped, "PRETRAINED", tmp_path / "new")
    shipped_runs.cache_clear()
    try:
        found = shipped_runs()["mine"]
        expected = dataclasses.replace(
            run, id="mine", owner="", worker=None, shipped=True, turn=0, version=0
        )
        assert found == expected
        assert shipped_artifact("mine", LITERT) == artifacts[LITERT]
        curves = shipped_metrics("mine")
        assert 150 < len(curves) < 450
        assert curves[-1] == reports(700)[-1]
        values = json.loads((tmp_path / "new" / "mine" / "run.json").read_text())
        assert "owner" not in values  # nobody's token, not even hashed
    finally:
        shipped_runs.cache_clear()


# --- the benchmark of drawings ---


def test_a_choice_of_steps_has_one_name_in_whatever_order():
    assert benchmark_module.skip_key([]) == ""
    assert (
        benchmark_module.skip_key(["crop", "ink"])
        == benchmark_module.skip_key(["ink", "crop"])
        == "ink+crop"
    )


def test_every_choice_of_steps_was_measured_for_every_shipped_network():
    benchmark = benchmark_module.drawing_benchmark()
    choices = {
        benchmark_module.skip_key(skip)
        for count in range(len(STEPS) + 1)
        for skip in itertools.combinations(STEPS, count)
    }
    assert len(choices) == 64
    assert set(benchmark["right"]) == set(shipped.shipped_runs())
    for right in benchmark["right"].values():
        assert set(right) == choices
        assert all(0 <= count <= benchmark["drawings"] for count in right.values())


@pytest.mark.parametrize(("name", "floor"), [("classic", 0.90), ("cnn", 0.96)])
def test_the_whole_recipe_reads_drawings_as_well_as_the_readme_says(name, floor):
    benchmark = benchmark_module.drawing_benchmark()
    right = {key: count / benchmark["drawings"] for key, count in benchmark["right"][name].items()}
    assert right[""] >= floor
    plain_resize = benchmark_module.skip_key([step for step in STEPS if step != "ink"])
    assert right[plain_resize] < right[""] - 0.2


def test_what_the_benchmark_wrote_is_what_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark_module, "DRAWING_BENCHMARK", tmp_path / "benchmark.json")
    benchmark_module.write_drawing_benchmark(7, {"cnn": {"": 6}})
    benchmark_module.drawing_benchmark.cache_clear()
    try:
        assert benchmark_module.drawing_benchmark() == {"drawings": 7, "right": {"cnn": {"": 6}}}
    finally:
        benchmark_module.drawing_benchmark.cache_clear()


# --- calibration ---


@pytest.mark.parametrize("name", ["classic", "cnn"])
def test_a_shipped_network_is_calibrated_on_the_official_test_images(name):
    predictions = Predictions.from_bytes(shipped_artifact(name, PREDICTIONS))
    assert metrics.expected_calibration_error(predictions) <= 0.005


@pytest.mark.parametrize("name", ["classic", "cnn"])
def test_a_shipped_network_knows_when_to_doubt(name):
    calibration = Calibration.from_json(shipped_artifact(name, CALIBRATION))
    assert 0.5 < calibration.sure_from < 1
    assert 0.2 < calibration.digit_from < 1
    predictions = Predictions.from_bytes(shipped_artifact(name, PREDICTIONS))
    verdicts = np.array([calibration.verdict(row) for row in predictions.probabilities])
    assert predictions.correct[verdicts == SURE].mean() > predictions.correct.mean()
    assert np.mean(verdicts == NO_DIGIT) < 0.005
