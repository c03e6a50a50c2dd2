"""What benchmarks/drawing.py measured, stored for the Draw page to quote."""

import functools
import json
from collections.abc import Iterable
from typing import Any

from mnist_core.classifier import PRETRAINED
from mnist_core.drawing.recipe import STEPS

# What benchmarks/drawing.py found; the Draw page tells of it.
DRAWING_BENCHMARK = PRETRAINED / "drawing_benchmark.json"


def skip_key(skip: Iterable[str]) -> str:
    """One name for a choice of the recipe's steps to leave out, in whatever order."""
    return "+".join(step for step in STEPS if step in set(skip))


def write_drawing_benchmark(drawings: int, right: dict[str, dict[str, int]]) -> None:
    """Store how many drawings each built-in network classified correctly without which steps."""
    text = json.dumps({"drawings": drawings, "right": right}, indent=1)
    DRAWING_BENCHMARK.write_text(text + "\n")


@functools.cache
def drawing_benchmark() -> dict[str, Any]:
    """``drawings``: how many there were; ``right``: by network and ``skip_key``, how many
    of them were classified correctly."""
    benchmark: dict[str, Any] = json.loads(DRAWING_BENCHMARK.read_text())
    return benchmark


def drawings_read(name: str, skip: Iterable[str] = ()) -> float | None:
    """The share, 0 to 1, of the benchmark's drawings that a shipped network reads rightly
    when these steps are left out; None if it was not measured."""
    benchmark = drawing_benchmark()
    right = benchmark["right"].get(name)
    return None if right is None else float(right[skip_key(skip)] / benchmark["drawings"])
