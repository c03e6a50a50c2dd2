"""Shipped runs: finished runs as folders of files, which come with the project.

A folder holds ``run.json`` (settings, results, curves), ``model.keras``, ``model.tflite``,
``predictions.npz`` and ``calibration.json``. They work where there is no database and no
network. Made by ``python -m mnist_core train --preset NAME --export FOLDER``, the one called
``SAMPLE`` with ``--sample`` too.
"""

import dataclasses
import functools
import json
from pathlib import Path

from mnist_core.classifier import MODEL_FILE, PRETRAINED, RUN_FILE
from mnist_core.config import TrainConfig
from mnist_core.errors import RunNotFound
from mnist_core.progress import Progress, epoch_ends, thin
from mnist_core.store.run import CALIBRATION, FINISHED, KERAS, LITERT, PREDICTIONS, Run

FILES = {
    KERAS: "model.keras",
    LITERT: MODEL_FILE,
    PREDICTIONS: "predictions.npz",
    CALIBRATION: "calibration.json",
}
# The run that was trained on the bundled sample's 4,000 images and tested on its 1,000. The
# other two were trained on all of MNIST, and so on all images of the sample.
SAMPLE = "sample"
# Enough for a smooth curve; more would only make the repository heavier.
MOST_REPORTS = 300


@functools.cache
def shipped_runs() -> dict[str, Run]:
    """The runs that came with the project, by id; the id is the folder's name."""
    found = {}
    for path in sorted(PRETRAINED.glob(f"*/{RUN_FILE}")):
        values = json.loads(path.read_text())
        values["config"] = TrainConfig.from_json(json.dumps(values["config"]))
        ends = epoch_ends([Progress(**report) for report in values.pop("curves")])
        values["validation_accuracy"] = ends[-1].validation_accuracy if ends else None
        found[path.parent.name] = Run(id=path.parent.name, state=FINISHED, shipped=True, **values)
    return found


def shipped_metrics(run_id: str) -> list[Progress]:
    """A shipped run's curves, thinned to a few hundred reports."""
    values = json.loads((_folder(run_id) / RUN_FILE).read_text())
    return [Progress(**report) for report in values["curves"]]


def shipped_artifact(run_id: str, kind: str) -> bytes:
    """A shipped run's Keras model, LiteRT model, test predictions or calibration."""
    return (_folder(run_id) / FILES[kind]).read_bytes()


def export_run(run: Run, curves: list[Progress], artifacts: dict[str, bytes], folder: Path) -> None:
    """Write a run as such a folder, making it if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, data in artifacts.items():
        (folder / FILES[kind]).write_bytes(data)
    values = {
        "config": json.loads(run.config.to_json()),
        "created_at": run.created_at,
        "dataset": run.dataset,
        "training_images": run.training_images,
        "test_images": run.test_images,
        "test_fingerprint": run.test_fingerprint,
        "test_accuracy": run.test_accuracy,
        "train_seconds": run.train_seconds,
        "epochs": run.epochs,
        "parameters": run.parameters,
        "curves": [dataclasses.asdict(report) for report in thin(curves, MOST_REPORTS)],
    }
    (folder / RUN_FILE).write_text(json.dumps(values, indent=1) + "\n")


def _folder(run_id: str) -> Path:
    if run_id not in shipped_runs():
        raise RunNotFound(f"No run called {run_id} ships with this project.")
    return PRETRAINED / run_id
