"""Standings: runs as a table for a whole class, the best first, readable from the back row."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_core.analysis import comparison, metrics
from mnist_core.plots.style import NONE

_STYLE = f"<style>\n{Path(__file__).with_suffix('.css').read_text()}</style>"
HEADER = ("", "Run", "Validation", "Test (95% interval)")
LUCK = (
    "All above are within the 95% confidence interval of the best: their order is luck. So may be "
    "that of neighbours below."
)


@dataclass(frozen=True)
class Standing:
    """A row.

    Attributes:
        title: the run's; any text, for it is escaped.
        state: what it does now, in words.
        done: share of its epochs, 0 to 1.
        validation_accuracy: so far, 0 to 1; None before its first epoch has ended.
        validation_images: how many images that was measured on; 0 if nobody knows.
        test_accuracy: 0 to 1; None before it has ended.
        test_images: how many images that was measured on.
        own: it is the viewer's.
    """

    title: str
    state: str
    done: float
    validation_accuracy: float | None = None
    validation_images: int = 0
    test_accuracy: float | None = None
    test_images: int = 0
    own: bool = False


def standings(rows: Sequence[Standing]) -> str:
    """The table, with a line below the runs whose order may be luck.

    Args:
        rows: the highest validation accuracy first, those without one last.
    """
    level = count_level(rows)
    groups = [rows[:level], rows[level:]] if level else [rows]
    head = "".join(f'<th scope="col">{title}</th>' for title in HEADER)
    body, place = "", 0
    for group in groups:
        body += "<tbody>"
        for row in group:
            place += 1
            body += _row(row, place)
        if len(groups) == 2 and group is groups[0] and level > 1:
            body += f'<tr class="luck"><td colspan="{len(HEADER)}">▲ {LUCK}</td></tr>'
        body += "</tbody>"
    return f'{_STYLE}<table class="standings"><thead><tr>{head}</tr></thead>{body}</table>'


def count_level(rows: Sequence[Standing]) -> int:
    """How many rows from the first on are within its 95% confidence interval, itself included; 0
    if its interval is not known."""
    accuracies = [row.validation_accuracy for row in rows if row.validation_accuracy is not None]
    if not accuracies or not rows[0].validation_images:
        return 0
    best, *others = accuracies
    return 1 + comparison.level_with_best(best, others, rows[0].validation_images)[1]


def _row(row: Standing, place: int) -> str:
    own = ' class="own"' * row.own
    title = html.escape(row.title) + " (yours)" * row.own
    validation = NONE if row.validation_accuracy is None else f"{row.validation_accuracy:.2%}"
    return (
        f'<tr{own}><td>{place}</td><th scope="row"><div><span class="who">{title}</span>'
        f'<span class="how"><progress max="100" value="{100 * min(row.done, 1.0):.0f}" '
        f'aria-label="Progress"></progress> {html.escape(row.state)}</span></div></th>'
        f"<td>{validation}</td><td>{_tested(row)}</td></tr>"
    )


def _tested(row: Standing) -> str:
    if row.test_accuracy is None:
        return NONE
    if not row.test_images:
        return f"{row.test_accuracy:.2%}"
    right = round(row.test_accuracy * row.test_images)
    low, high = metrics.wilson_interval(right, row.test_images)
    interval = f"{100 * low:.1f}–{high:.1%}"
    return f'{row.test_accuracy:.2%} <span class="interval">{interval}</span>'
