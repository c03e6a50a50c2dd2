"""What benchmarks/drawing.py measured, stored for the Draw page to quote."""

import functools
import json
from collections.abc import Iterable
from typing import Any

from mnist_core.classifier import PRETRAINED
from mnist_core.drawing.recipe import STEPS

DRAWING_BENCHMARK = PRETRAINED / "drawing_benchmark.json"


def skip_key(skip: Iterable[str]) -> str:
    """One name for a set of skipped steps, independent of their order."""
    return "+".join(step for step in STEPS if step in set(skip))


def write_drawing_benchmark(drawings: int, right: dict[str, dict[str, int]]) -> None:
    """Store the arguments as ``drawing_benchmark`` returns them."""
    text = json.dumps({"drawings": drawings, "right": right}, indent=1)
    DRAWING_BENCHMARK.write_text(text + "\n")


@functools.cache
def drawing_benchmark() -> dict[str, Any]:
    """``drawings``: how many there were; ``right``: how many of them each built-in network
    classified correctly, by network and ``skip_key``."""
    benchmark: dict[str, Any] = json.loads(DRAWING_BENCHMARK.read_text())
    return benchmark


def drawings_read(name: str, skip: Iterable[str] = ()) -> float | None:
    """The share, 0 to 1, of the benchmark's drawings that a built-in network classifies
    correctly with these steps skipped; None if it was not measured."""
    benchmark = drawing_benchmark()
    right = benchmark["right"].get(name)
    return None if right is None else float(right[skip_key(skip)] / benchmark["drawings"])
