"""Built-in runs: finished runs as folders of files, which need neither database nor network.

A folder holds ``run.json`` (settings, results, curves), ``model.keras``, ``model.tflite``,
``predictions.npz`` and ``calibration.json``, as ``python -m mnist_core train --preset NAME
--export FOLDER`` writes them; the run called ``SAMPLE`` also needs ``--sample``.
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
# Trained on the bundled sample's 4,000 images and tested on its 1,000. The other two were trained
# on all of MNIST, and so on every image of the sample.
SAMPLE = "sample"
# Enough for a smooth curve; more would only enlarge the repository.
MOST_REPORTS = 300


@functools.cache
def shipped_runs() -> dict[str, Run]:
    """The built-in runs by id, the name of their folder."""
    found = {}
    for path in sorted(PRETRAINED.glob(f"*/{RUN_FILE}")):
        values = json.loads(path.read_text())
        values["config"] = TrainConfig.from_json(json.dumps(values["config"]))
        ends = epoch_ends([Progress(**report) for report in values.pop("curves")])
        values["validation_accuracy"] = ends[-1].validation_accuracy if ends else None
        found[path.parent.name] = Run(id=path.parent.name, state=FINISHED, shipped=True, **values)
    return found


def shipped_metrics(run_id: str) -> list[Progress]:
    """A built-in run's curves, thinned to a few hundred reports; raises RunNotFound."""
    values = json.loads((_folder(run_id) / RUN_FILE).read_text())
    return [Progress(**report) for report in values["curves"]]


def shipped_artifact(run_id: str, kind: str) -> bytes:
    """One of a built-in run's ``FILES``, by its kind; raises RunNotFound."""
    return (_folder(run_id) / FILES[kind]).read_bytes()


def export_run(run: Run, curves: list[Progress], artifacts: dict[str, bytes], folder: Path) -> None:
    """Write a run as such a folder, which need not exist yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, data in artifacts.items():
        (folder / FILES[kind]).write_bytes(data)
    names = (
        "created_at", "dataset", "training_images", "test_images", "test_fingerprint",
        "test_accuracy", "train_seconds", "epochs", "parameters",
    )  # fmt: skip
    values = {
        "config": json.loads(run.config.to_json()),
        **{name: getattr(run, name) for name in names},
        "curves": [dataclasses.asdict(report) for report in thin(curves, MOST_REPORTS)],
    }
    (folder / RUN_FILE).write_text(json.dumps(values, indent=1) + "\n")


def _folder(run_id: str) -> Path:
    if run_id not in shipped_runs():
        raise RunNotFound(f"No built-in run is called {run_id}.")
    return PRETRAINED / run_id
