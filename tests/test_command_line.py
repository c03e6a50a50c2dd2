import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from mnist_core import __main__ as command_line
from mnist_core import data
from mnist_core.analysis import label_errors
from mnist_core.config import PRESETS
from mnist_core.errors import DownloadFailed
from mnist_core.jobs import download, opening, worker
from mnist_core.shipped import FILES, shipped_artifact
from mnist_core.store.run import FAILED, FINISHED, INTERRUPTED
from mnist_core.store.runs import RunStore
from mnist_core.store.workers import WorkerStore
from mnist_core.training import cross_validation
from tests import pictures as pictures_of
from tests.helpers import (
    PROJECT,
    Store,
    add_worker,
    finished_run,
    first_of_each_digit,
    reports,
    write_archive,
)


@pytest.fixture
def run(capfd):
    """Runs a command in this process: exit status, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        try:
            status = command_line.main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse's own way out
            status = int(end.code or 0)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return status, out, " ".join(err.split())

    return run


@pytest.fixture
def tiny_mnist(tmp_path, monkeypatch, tiny_dataset):
    """Training takes a moment, and nothing is downloaded."""
    path = write_archive(tmp_path / "tiny.npz", tiny_dataset)
    monkeypatch.setenv("MNIST_DATA", str(path))


# --- train ---


def test_train_ends_with_one_line_of_json(run, tiny_mnist, store):
    status, out, err = run("train", "--epochs", 1, "--seed", 3, "--json")
    assert status == 0
    result = json.loads(out.splitlines()[-1])
    assert set(result) == {
        "run_id", "test_accuracy", "train_seconds", "epochs", "parameters", "worker",
    }  # fmt: skip
    assert 0 <= result["test_accuracy"] <= 1
    assert result["train_seconds"] > 0
    assert result["epochs"] == 1
    assert result["parameters"] == 109_386
    assert result["worker"].endswith(f":{os.getpid()}")
    assert f"Run {result['run_id']}" in err
    assert "400 training and 100 test images" in err

    recorded = store.get(result["run_id"])
    assert recorded.state == FINISHED
    assert recorded.config == dataclasses.replace(PRESETS["classic"], epochs=1, seed=3)
    assert recorded.test_accuracy == result["test_accuracy"]
    assert store.metrics(recorded.id)[-1].epoch == 1
    assert store.registered() == []


def test_a_key_pressed_in_training_ends_it_with_its_curves(run, tiny_mnist, store, monkeypatch):
    def press(progress):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "training_bar", lambda epochs: contextlib.nullcontext(press))
    status, out, err = run("train", "--json")
    assert (status, out) == (130, "")
    assert err.endswith("Stopped.")
    (ended,) = store.list_runs()
    assert (ended.state, ended.message) == (INTERRUPTED, worker.AT_THE_KEYBOARD)
    assert store.metrics(ended.id)
    assert store.registered() == []


@pytest.fixture
def trained_at_once(monkeypatch):
    """Runs that finish without training, with the shipped classic network as their own."""

    def execute(store, run, worker_id, dataset, on_progress, heart):
        for report in reports(10):
            on_progress(report)
        store.report(run.id, worker_id, reports(10))
        return store.complete(
            run.id,
            worker_id,
            FINISHED,
            results={
                "test_accuracy": 0.5, "train_seconds": 1.5, "epochs": 2, "parameters": 7,
                "dataset": dataset.description,
            },
            artifacts={kind: shipped_artifact("classic", kind) for kind in FILES},
        )  # fmt: skip

    monkeypatch.setattr(worker, "execute", execute)


def test_train_without_json_prints_nothing_to_pipe_on(run, tiny_mnist, trained_at_once):
    status, out, err = run("train")
    assert (status, out) == (0, "")
    expected = "50.00% of the test images classified correctly after 2 epochs, 1.5 s of training."
    assert expected in err


def test_a_run_is_exported_as_a_folder_where_asked_for(run, tiny_mnist, trained_at_once, tmp_path):
    assert run("train", "--export", tmp_path / "new" / "mine")[0] == 0
    assert sorted(os.listdir(tmp_path / "new" / "mine")) == [
        "calibration.json", "model.keras", "model.tflite", "predictions.npz", "run.json",
    ]  # fmt: skip


def test_a_run_can_be_trained_on_the_bundled_sample_though_mnist_is_there(
    run, tiny_mnist, trained_at_once, store
):
    assert run("train", "--sample")[0] == 0
    (ended,) = store.list_runs()
    assert ended.dataset == "Bundled sample of MNIST: 4,000 training and 1,000 test images"
    status, _, err = run("train", "--sample", "--submit")
    assert status == 2
    assert "not allowed with argument" in err


def test_train_tells_what_is_wrong_with_the_data_and_goes_on(
    run, tmp_path, monkeypatch, tiny_dataset, trained_at_once
):
    monkeypatch.setenv("MNIST_DATA", str(tmp_path / "nowhere.npz"))
    write_archive(data.keras_cache(), tiny_dataset)
    status, _, err = run("train")
    assert status == 0
    assert "which does not exist; correct it or unset it." in err
    assert "MNIST: 400 training and 100 test images" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--epochs", 0], "Epochs must be a whole number from 1 to 30."),
        (["--epochs", 10**12], "Epochs must be a whole number from 1 to 30."),
        (["--epochs", -5], "Epochs must be a whole number from 1 to 30."),
        (["--seed", -1], "Seed must be a whole number from 0 to"),
    ],
)
def test_absurd_settings_are_refused_with_a_sentence(arguments, sentence, run, store):
    status, out, err = run("train", *arguments, "--json")
    assert (status, out) == (1, "")
    assert err.startswith(sentence)
    assert store.list_runs() == []


@pytest.mark.parametrize(
    "arguments",
    [[], ["paint"], ["train", "--epochs", "many"], ["train", "--preset", "huge"], ["classify"]],
)
def test_a_command_that_makes_no_sense_shows_how_it_is_used(arguments, run):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert "usage: python -m mnist_core" in err


def test_a_database_that_cannot_be_used_is_named(run, tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_DATABASE_URL", f"sqlite:///{tmp_path / 'no' / 'runs.db'}")
    status, _, err = run("train", "--epochs", 1)
    assert status == 1
    assert err.startswith("The database of runs cannot be opened")


class FakePool:
    """A pool whose one worker ends the first run it finds, as told."""

    ending = FINISHED
    problem = ""

    def __init__(self, database) -> None:
        self.database = database
        self.ended = False
        FakePool.last = self

    def start(self):
        return self

    def wake(self) -> None:
        pass

    def end(self) -> None:
        self.ended = True


@pytest.fixture
def pool(monkeypatch):
    """Runs that are submitted are trained by a thread, in no time."""

    def work():
        store = Store()
        add_worker(store, "fake", host="far", pid=77)
        while (claimed := store.claim_run("fake")) is None:
            if FakePool.last.ended:
                return
        store.report(claimed.id, "fake", reports(10))
        # Somebody has to have had a look at who trains.
        assert seen.wait(60)
        if FakePool.ending == FINISHED:
            results = {
                "test_accuracy": 0.5, "train_seconds": 1.5, "epochs": 2, "parameters": 109_386,
                "dataset": "MNIST",
            }  # fmt: skip
            store.complete(claimed.id, "fake", FINISHED, results=results)
        else:
            message = "The machine ran out of memory."
            store.complete(claimed.id, "fake", FakePool.ending, message=message)
        store.close()

    seen = threading.Event()
    watch = RunStore.watch

    def watch_and_tell(self, *arguments):
        followed, reports = watch(self, *arguments)
        if reports:
            seen.set()
        return followed, reports

    monkeypatch.setattr(RunStore, "watch", watch_and_tell)
    monkeypatch.setattr(opening, "open_pool", FakePool)
    monkeypatch.setattr(FakePool, "ending", FINISHED)
    thread = threading.Thread(target=work)
    monkeypatch.setattr(FakePool, "start", lambda self: (thread.start(), self)[1])
    yield FakePool
    thread.join()


def test_a_submitted_run_is_waited_for_and_its_worker_named(pool, run):
    status, out, _ = run("train", "--preset", "cnn", "--epochs", 2, "--submit", "--json")
    assert status == 0
    result = json.loads(out.splitlines()[-1])
    assert result["worker"] == "far:77"
    assert (result["test_accuracy"], result["train_seconds"]) == (0.5, 1.5)
    assert pool.last.ended


@pytest.mark.parametrize("ending", [FAILED, INTERRUPTED])
def test_a_submitted_run_that_ends_badly_says_why(ending, pool, run, monkeypatch):
    monkeypatch.setattr(pool, "ending", ending)
    status, out, err = run("train", "--submit", "--json")
    assert (status, out) == (1, "")
    assert f"{ending}. The machine ran out of memory." in err
    assert pool.last.ended


def test_a_submitted_run_that_nobody_waits_for_any_more_is_withdrawn(run, store, monkeypatch):
    def press(self, states=()):
        raise KeyboardInterrupt

    monkeypatch.setattr(FakePool, "start", lambda self: self)
    monkeypatch.setattr(opening, "open_pool", FakePool)
    monkeypatch.setattr(WorkerStore, "registered", press)
    status, _, err = run("train", "--submit")
    assert (status, "Stopped." in err) == (130, True)
    assert [found.state for found in store.list_runs()] == [INTERRUPTED]
    assert FakePool.last.ended


# --- sweep ---


@pytest.fixture
def swept(monkeypatch):
    """A pool that trains all runs of a sweep at once, each better on validation images and
    worse on test images than the one before."""

    def start(pool):
        store = Store(pool.database.url)
        add_worker(store, "fake")
        number = 0
        while run := store.claim_run("fake"):
            number += 1
            last = dataclasses.replace(
                reports(10)[-1], step=11, epoch=2.0, validation_accuracy=0.9 + number / 100
            )
            store.report(run.id, "fake", [*reports(10), last])
            results = {"test_accuracy": 0.9 - number / 100, "train_seconds": 1.5, "epochs": 2}
            store.complete(run.id, "fake", FakePool.ending, results=results)
        return pool

    monkeypatch.setattr(opening, "open_pool", FakePool)
    monkeypatch.setattr(FakePool, "ending", FINISHED)
    monkeypatch.setattr(FakePool, "start", start)


TRY = ("--try", "learning_rate=0.001,0.01", "--try", "batch_size=64,256")


def test_a_sweep_prints_its_runs_best_on_validation_first(swept, run, store):
    status, out, err = run("sweep", "--preset", "quick", "--epochs", 2, "--seed", 5, *TRY)
    assert status == 0
    header, *rows = [line.split("  ") for line in out.splitlines()]
    assert [word.strip() for word in header if word.strip()] == [
        "Run", "Learning rate", "Batch size", "Validation accuracy", "State",
    ]  # fmt: skip
    best = store.sweep_runs(store.list_runs()[0].sweep)[-1]
    assert best.config == dataclasses.replace(
        PRESETS["quick"], epochs=2, seed=5, learning_rate=0.01, batch_size=256
    )
    assert rows[0][0] == best.id

    assert [next(cell.strip() for cell in row if "%" in cell) for row in rows] == [
        "94.00%", "93.00%", "92.00%", "91.00%",
    ]  # fmt: skip
    assert f"Run {best.id} is best on the validation images." in err
    assert "flattered by the choice among 4" in err
    assert "86.00%" in err
    assert FakePool.last.ended


def test_a_sweep_ends_with_one_line_of_json(swept, run, store):
    status, out, _ = run("sweep", *TRY, "--random", 3, "--json")
    assert status == 0
    result = json.loads(out.splitlines()[-1])
    assert len(result["runs"]) == len(store.sweep_runs(result["sweep_id"])) == 3
    assert result["best"] == result["runs"][0]["run_id"]
    assert result["test_accuracy"] == pytest.approx(0.87)
    assert set(result["runs"][0]) == {
        "run_id", "state", "settings", "validation_accuracy", "train_seconds",
    }  # fmt: skip
    assert set(result["runs"][0]["settings"]) == {"learning_rate", "batch_size"}


def test_a_sweep_none_of_which_ends_well_says_so(swept, run, monkeypatch):
    monkeypatch.setattr(FakePool, "ending", FAILED)
    status, out, err = run("sweep", *TRY, "--json")
    assert status == 1
    assert "{" not in out
    assert "No run of the sweep ended with a network." in err


def test_a_key_pressed_in_a_sweep_stops_all_of_it(run, store, monkeypatch):
    def press(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(opening, "open_pool", FakePool)
    # Looked at while the sweep is waited for.
    monkeypatch.setattr(FakePool, "problem", property(press))
    status, out, err = run("sweep", *TRY)
    assert (status, out, "Stopped." in err) == (130, "", True)
    assert [found.state for found in store.list_runs()] == [INTERRUPTED] * 4
    assert FakePool.last.ended


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--try", "seed=1,2"], "Write what to try as learning_rate=0.001,0.003; a sweep can"),
        (["--try", "batch_size"], "Write what to try as learning_rate=0.001,0.003; a sweep can"),
        (["--try", "batch_size=many"], "Batch size must be numbers, such as 0.1,0.2."),
        (["--try", "batch_size=1e400"], "Batch size must be numbers, such as 0.1,0.2."),
        (["--try", "batch_size=7"], "Batch size must be a whole number from 16 to 1024."),
        (["--try", "optimizer=magic"], "Optimizer must be one of adam, momentum, sgd."),
        (["--try", "augmentation=true"], "Augmentation must be yes or no."),
        (["--try", "dropout=0.1,0.2", "--random", 99], "That would be 99 runs, and 12 are"),
        (["--try", "dropout=" + ",".join(f"0.{n}" for n in range(10, 30))], "That would be 20"),
        (["--epochs", 99, *TRY], "Epochs must be a whole number from 1 to 30."),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_with_a_sentence(arguments, sentence, run, store):
    status, out, err = run("sweep", *arguments, "--json")
    assert (status, out) == (1, "")
    assert err.startswith(sentence)
    assert store.list_runs() == []


def test_a_sweep_of_nothing_shows_how_it_is_used(run):
    status, out, err = run("sweep")
    assert (status, out) == (2, "")
    assert "--try" in err


# --- classify ---


@pytest.fixture
def pictures(tmp_path, sample):
    """PNGs of one digit each, of many sizes, dark on light and light on dark."""
    paths = []
    for place, index in enumerate(first_of_each_digit(sample.y_test, 1)):
        digit = sample.x_test[index]
        enlarged = Image.fromarray(digit if place % 2 else 255 - digit)
        side = 28 * (1 + place)
        path = tmp_path / f"{sample.y_test[index]}.png"
        enlarged.resize((side, side), Image.Resampling.BICUBIC).save(path)
        paths.append(path)
    return paths


@pytest.mark.parametrize("name", ["classic", "cnn"])
def test_classify_prints_path_digit_and_probability(name, run, pictures):
    status, out, _ = run("classify", "--run", name, *pictures)
    assert status == 0
    lines = [line.split("\t") for line in out.splitlines()]
    assert [path for path, _, _ in lines] == [str(path) for path in pictures]
    assert all(0 <= float(probability) <= 1 for _, _, probability in lines)
    right = sum(path.stem == line[1] for path, line in zip(pictures, lines, strict=True))
    assert right >= 8


def test_the_network_for_drawings_reads_unless_another_is_named(run, pictures):
    assert run("classify", *pictures)[:2] == run("classify", "--run", "cnn", *pictures)[:2]


def test_a_recorded_runs_network_can_be_named(run, pictures, store):
    own = finished_run(store)
    by_own = run("classify", "--run", own.id, *pictures)
    assert by_own[:2] == run("classify", "--run", "classic", *pictures)[:2]


def test_shipped_networks_read_where_there_is_no_database(run, pictures, monkeypatch):
    monkeypatch.setenv("MNIST_DATABASE_URL", "sqlite:////nowhere/runs.db")
    assert run("classify", "--run", "classic", pictures[0])[0] == 0


def test_a_row_of_digits_is_one_line(run, sample, tmp_path):
    seven, one = (sample.x_test[sample.y_test == digit][0] for digit in (7, 1))
    sheet = np.zeros((60, 140), np.uint8)
    for left, digit in zip((5, 50, 95), (seven, one, seven), strict=True):
        sheet[16:44, left : left + 28] = digit
    path = tmp_path / "row.png"
    Image.fromarray(255 - sheet).resize((560, 240), Image.Resampling.BICUBIC).save(path)
    status, out, _ = run("classify", path)
    assert status == 0
    ((name, digits, probability),) = [line.split("\t") for line in out.splitlines()]
    assert (name, digits) == (str(path), "717")
    assert 0 < float(probability) <= 1


def test_a_digit_that_fills_its_picture_to_the_edge_is_read(run, tmp_path):
    path = tmp_path / "one.png"
    path.write_bytes(pictures_of.encode(pictures_of.edge_to_edge(), "PNG"))
    assert run("classify", path)[1].split("\t")[1] == "1"


@pytest.mark.parametrize("kind", pictures_of.READ)
def test_every_kind_of_picture_is_read_whatever_its_name(kind, run, tmp_path):
    path = tmp_path / "picture.dat"
    path.write_bytes(pictures_of.READ[kind]())
    status, out, err = run("classify", path)
    assert (status, out.split("\t")[1], err) == (0, "7", "")


@pytest.mark.parametrize("kind", pictures_of.REFUSED)
def test_a_file_that_cannot_be_read_is_one_sentence(kind, run, tmp_path):
    make, part = pictures_of.REFUSED[kind]
    path = tmp_path / "picture.png"
    path.write_bytes(make())
    status, out, err = run("classify", path)
    assert (status, out) == (1, "")
    assert err.startswith(f"{path}: ")
    assert part in err
    assert err.count("\n") == 0


@pytest.mark.parametrize("count", [24, 230])
def test_every_figure_is_read_or_it_is_said_that_there_are_more(count, run, tmp_path):
    path = tmp_path / "sheet.png"
    path.write_bytes(pictures_of.many(count))
    status, out, err = run("classify", "--run", "classic", path)
    assert status == 0
    assert len(out.split("\t")[1]) == min(count, 200)
    assert err == (
        f"{path}: Only the 200 largest of the 230 figures in the picture were read; send the "
        "picture in parts to read all of them."
        if count == 230
        else ""
    )


def test_a_file_of_digits_that_is_not_there_is_named(run, pictures, monkeypatch):
    monkeypatch.setenv("MNIST_DATA", "/nowhere/mnist.npz")
    status, out, err = run("classify", "--run", "classic", pictures[0])
    assert (status, len(out.splitlines())) == (0, 1)
    assert (
        err == "MNIST_DATA names /nowhere/mnist.npz, which does not exist; correct it or unset it."
    )


def test_an_unreadable_picture_is_named_and_the_others_are_read(run, pictures, tmp_path):
    text, blank, folder = tmp_path / "text.png", tmp_path / "blank.png", tmp_path / "folder"
    text.write_text("no picture")
    Image.fromarray(np.full((50, 50), 255, np.uint8)).save(blank)
    folder.mkdir()
    missing = tmp_path / "missing.png"
    status, out, err = run(
        "classify", "--run", "classic", pictures[0], text, blank, folder, missing, pictures[1]
    )
    assert status == 1
    assert [line.split("\t")[0] for line in out.splitlines()] == [
        str(pictures[0]), str(pictures[1]),
    ]  # fmt: skip
    assert "text.png: The file is not a PNG" in err
    assert "blank.png: There is no digit here" in err
    assert "folder: Is a directory" in err
    assert "missing.png: No such file or directory" in err


@pytest.mark.parametrize("name", ["[bold].png", "[/x].png", "[red]7[/].png", "é ü 七.png"])
def test_the_name_of_an_unreadable_picture_is_shown_as_it_is(name, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("no picture")
    status, _, err = run("classify", "--run", "classic", name)
    assert status == 1
    assert f"{name}: The file is not a PNG" in err


def test_an_unknown_run_is_a_sentence(run, pictures):
    status, out, err = run("classify", "--run", "nothing", pictures[0])
    assert (status, out) == (1, "")
    assert err == "There is no such run; it may have been deleted. Choose another."


# --- suspects ---


@pytest.fixture
def searched_at_once(monkeypatch):
    """A search for suspects that finds one without training."""

    def compute(dataset, on_progress):
        for report in reports(10):
            on_progress(report)
        ranked = (label_errors.Suspect(7, 4, 9, 0.99, 0.001),)
        return label_errors.Suspects(dataset.train_fingerprint, "quick", 400, 2, ranked)

    monkeypatch.setattr(cross_validation, "compute", compute)


def test_suspects_go_into_the_database(run, tiny_mnist, searched_at_once, tiny_dataset):
    status, out, err = run("suspects")
    assert (status, out) == (0, "")
    assert "Of 400 training images 2 were read as a digit other than their label;" in err
    assert err.endswith("the 1 most suspect are in the database.")
    store = Store()
    study = store.find(label_errors.study_key(tiny_dataset.train_fingerprint))
    store.close()
    assert label_errors.Suspects.from_json(study.result.decode()).ranked[0].place == 7


def test_suspects_are_exported_as_a_file_that_ships(
    run, tiny_mnist, searched_at_once, tiny_dataset, tmp_path, monkeypatch
):
    monkeypatch.setattr(label_errors, "SHIPPED", tmp_path / "suspected")
    assert run("suspects", "--export")[0] == 0
    found = label_errors.shipped(tiny_dataset.train_fingerprint)
    assert (found.differing, found.ranked[0].place) == (2, 7)
    assert not (tmp_path / "runs.db").exists()


def test_suspects_that_ship_are_not_searched_for(run, monkeypatch):
    monkeypatch.setenv("MNIST_DATA", str(data.SAMPLE_PATH))
    monkeypatch.setattr(cross_validation, "compute", None)
    status, _, err = run("suspects")
    assert status == 0
    assert err.endswith("The suspects among these digits are built in.")


def test_no_search_begins_where_its_end_could_not_be_stored(run, tiny_mnist, tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_DATABASE_URL", f"sqlite:///{tmp_path / 'no' / 'runs.db'}")
    monkeypatch.setattr(cross_validation, "compute", None)
    status, _, err = run("suspects")
    assert status == 1
    assert "The database of runs cannot be opened" in err


# --- fetch ---


def test_fetch_says_where_the_file_is(run, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "fetch", lambda: tmp_path / "mnist.npz")
    status, _, err = run("fetch")
    assert status == 0
    assert err.replace(" ", "") == f"MNISTisin{tmp_path / 'mnist.npz'}"


def test_a_failed_fetch_is_a_sentence(run, monkeypatch):
    def fetch():
        raise DownloadFailed("MNIST could not be downloaded (no network).")

    monkeypatch.setattr(download, "fetch", fetch)
    status, out, err = run("fetch")
    assert (status, out) == (1, "")
    assert err == "MNIST could not be downloaded (no network)."


# --- as a person types it ---


def test_the_module_runs_as_a_command():
    answer = subprocess.run(
        [sys.executable, "-m", "mnist_core", "--help"], cwd=PROJECT, capture_output=True, text=True
    )
    assert answer.returncode == 0
    for command in ("fetch", "train", "classify", "suspects"):
        assert command in answer.stdout


def test_classify_as_a_command_needs_no_tensorflow(pictures):
    code = (
        "import runpy, sys; sys.argv[0] = 'mnist_core'\n"
        "try: runpy.run_module('mnist_core', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code\n"
        "print('tensorflow' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, "classify", "--run", "classic", *map(str, pictures)],
        cwd=PROJECT, capture_output=True, text=True,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert len(answer.stdout.splitlines()) == 11
    assert answer.stdout.splitlines()[-1] == "False"
