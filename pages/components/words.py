"""words: numbers as a page writes them; a dash where there is none."""

from mnist_core.plots.style import NONE


def duration(seconds: float) -> str:
    """Such as "40 s" or "3 min"."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def percent(share: float | None) -> str:
    return NONE if share is None else f"{share:.2%}"


def number(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"
