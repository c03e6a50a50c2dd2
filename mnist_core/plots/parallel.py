"""A sweep's runs as lines through their settings to their validation accuracy."""

import contextlib
import html
import math

import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from mnist_core.plots.style import BLUE, DARK_PAGE, FONT_SIZE, GREY, STILL, VERMILION, WHITE

# All colours from blue to vermilion stand out from light and dark pages.
WORST_TO_BEST = [[0, BLUE], [1, VERMILION]]
# Pixels for an axis and its labels; and the accuracies that may be marked on one.
ROW_HEIGHT = 104
ROUND_ACCURACIES = (0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)


def parallel_coordinates(
    axes: list[tuple[str, list[str]]],
    trainings: list[tuple[list[str], float, str]],
    dark: bool = False,
) -> go.Figure:
    """Parallel coordinates: runs as lines through their settings to their accuracy.

    The axes are horizontal, so that five of them fit on a phone. Plotly's own ``Parcoords`` draws
    lines one pixel wide, invisible from the back of a room, and shows no names on hover.

    Args:
        axes: title and values of each setting; values are spaced evenly, numbers sorted.
        trainings: each run's value on each axis, its accuracy, 0 to 1, and a text shown on
            hover; may be empty.
        dark: for a page with a dark background.
    """
    figure = go.Figure()
    places = [_evenly(values) for _, values in axes]
    accuracies = [accuracy for _, accuracy, _ in trainings]
    titles = [*(title for title, _ in axes), "Validation accuracy"]
    rows = list(range(len(axes), -1, -1))
    for title, row, ticks in zip(titles, rows, [*places, _accuracy_ticks(accuracies)], strict=True):
        _lying_axis(figure, title, row, ticks, dark)
    # The best last, so that it is drawn on top.
    for values, accuracy, name in sorted(trainings, key=lambda training: training[1]):
        best = accuracy == max(accuracies)
        (end,) = _by_errors([accuracy], accuracies)
        (colour,) = sample_colorscale(WORST_TO_BEST, [end])
        figure.add_scatter(
            x=[*(place[value] for place, value in zip(places, values, strict=True)), end],
            y=rows,
            mode="lines+markers",
            line={"color": colour, "width": 6 if best else 3},
            marker={"size": 16 if best else 9, "symbol": "diamond" if best else "circle"},
            hovertemplate=f"{accuracy:.2%}: {html.escape(name, quote=False)}<extra></extra>",
            showlegend=False,
        )
    hidden = {"visible": False, "fixedrange": True}
    figure.update_xaxes(range=[-0.09, 1.09], **hidden)
    figure.update_yaxes(range=[-0.5, len(axes) + 0.5], **hidden)
    figure.update_layout(
        height=ROW_HEIGHT * len(rows),
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        font={"size": FONT_SIZE},
        **STILL,
    )
    return figure


def _lying_axis(
    figure: go.Figure, title: str, row: float, ticks: dict[str, float], dark: bool
) -> None:
    """A horizontal line, its title above its left end, its values below."""
    figure.add_shape(
        type="line", x0=0, x1=1, y0=row, y1=row, layer="below", line={"color": GREY, "width": 2}
    )
    # In the page's own colour, so that no line crosses out the text.
    written = {"showarrow": False, "bgcolor": DARK_PAGE if dark else WHITE, "borderpad": 1}
    figure.add_annotation(
        x=-0.07, y=row, xanchor="left", yshift=24, text=f"<b>{title}</b>", **written
    )
    for text, place in ticks.items():
        figure.add_annotation(x=place, y=row, yshift=-20, text=text, **written)


def _evenly(texts: list[str]) -> dict[str, float]:
    """Evenly spaced positions from 0 to 1 for these values, numbers sorted."""
    distinct = list(dict.fromkeys(texts))
    with contextlib.suppress(ValueError):
        distinct.sort(key=float)
    last = len(distinct) - 1
    return {text: place / last if last else 0.5 for place, text in enumerate(distinct)}


def _by_errors(values: list[float], accuracies: list[float]) -> list[float]:
    """Positions from 0 for the worst of these accuracies to 1 for the best, on a logarithmic scale
    of the error rate: from 98 to 99% is as far as from 80 to 90%."""
    least, *errors = (math.log(max(1 - value, 1e-4)) for value in [max(accuracies), *values])
    most = math.log(max(1 - min(accuracies), 1e-4))
    return [(most - error) / (most - least) if most > least else 0.5 for error in errors]


def _accuracy_ticks(accuracies: list[float]) -> dict[str, float]:
    """Labels and positions on the axis of accuracies: both ends, and round values between."""
    if not accuracies:
        return {}
    low, high = min(accuracies), max(accuracies)
    ticks = dict(
        zip([f"{low:.1%}", f"{high:.1%}"], _by_errors([low, high], accuracies), strict=True)
    )
    for value in ROUND_ACCURACIES:
        (place,) = _by_errors([value], accuracies)
        if low < value < high and all(abs(place - other) > 0.2 for other in ticks.values()):
            ticks[f"{100 * value:g}%"] = place
    return ticks
