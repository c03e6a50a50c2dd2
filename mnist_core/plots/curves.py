"""Accuracy, loss and learning rate over epochs, of one run or of several."""

import html
import math
import textwrap

import plotly.graph_objects as go

from mnist_core.analysis.metrics import GUESSING
from mnist_core.plots.style import BLUE, FONT_SIZE, GREY, VERMILION
from mnist_core.progress import Progress, epoch_ends

# For several runs, whose markers differ too. The last two are not Okabe and Ito's: of the colours
# that stand out from light and dark pages they differ most from the others.
RUN_COLOURS = [BLUE, VERMILION, "#009E73", "#CC79A7", "#9040F0", "#846030"]
RUN_SYMBOLS = ["diamond", "circle", "square", "triangle-up", "cross", "x"]
# A legend of long names below a chart: characters that fit on a line on a phone, and pixels that
# Plotly takes for an entry and for each further line of it.
LEGEND_CHARACTERS, LEGEND_ENTRY, LEGEND_LINE = 26, 34, 21


def accuracy_curves(reports: list[Progress], epochs: int) -> go.Figure:
    """Accuracy on training batches and on the validation images, over the epochs.

    Args:
        reports: in order; may be empty.
        epochs: the whole run's, so that the axis does not move while it trains.
    """
    figure = _curves(reports, epochs, "accuracy")
    # Most runs are below 80% only briefly; the rest deserves the space.
    later = [report.accuracy for report in reports if report.epoch > 0.2]
    _accuracy_axis(figure, later + _validated(reports, "accuracy"), usual=0.8, step=0.1)
    # Where the curves leave room: below a rising accuracy, above a falling loss.
    figure.update_layout(legend={"y": 0.03, "yanchor": "bottom"})
    return figure


def loss_curves(reports: list[Progress], epochs: int) -> go.Figure:
    """Loss in nats on training batches and on the validation images, over the epochs."""
    figure = _curves(reports, epochs, "loss")
    figure.update_yaxes(title="Loss", rangemode="tozero")
    figure.update_layout(legend={"y": 0.98, "yanchor": "top"})
    if reports:
        # The losses of the first few batches would dwarf the rest.
        later = [report.loss for report in reports if report.epoch > 0.2] or [reports[-1].loss]
        figure.update_yaxes(range=[0, max(0.4, 1.1 * max(later + _validated(reports, "loss")))])
    return figure


def _validated(reports: list[Progress], value: str) -> list[float]:
    """Accuracies or losses on the validation images."""
    return [getattr(report, f"validation_{value}") for report in epoch_ends(reports)]


def _accuracy_axis(figure: go.Figure, values: list[float], usual: float, step: float) -> None:
    """An axis up to 100% that shows all these values, and the accuracy of guessing if in range.

    Args:
        usual: where it starts if no value is lower.
        step: in what steps it starts lower, so that it seldom moves while values arrive.
    """
    # Leaves room for half a marker below the lowest value.
    bottom = min([usual, *(step * math.floor((value - 0.02) / step) for value in values)])
    bottom = max(bottom, -0.02)
    figure.update_yaxes(title="Accuracy", range=[bottom, 1.003], tickformat=".0%")
    if bottom < GUESSING:
        figure.add_hline(
            GUESSING,
            line={"color": GREY, "width": 2, "dash": "dash"},
            annotation={"text": f"{GUESSING:.0%} is guessing", "font": {"size": FONT_SIZE}},
            annotation_position="top left",
        )


def learning_rate_curve(reports: list[Progress], epochs: int) -> go.Figure:
    """The learning rate over the epochs."""
    figure = go.Figure()
    figure.add_scatter(
        x=[round(report.epoch, 3) for report in reports],
        y=[report.learning_rate for report in reports],
        mode="lines",
        name="Learning rate",
        line={"color": BLUE, "width": 3},
    )
    figure.update_yaxes(rangemode="tozero", nticks=4, tickformat=".2g")
    _over_epochs(figure, epochs, height=200)
    return figure


def as_example(figure: go.Figure, label: str) -> go.Figure:
    """The same figure with its curves faded, and a label on it that says whose they are."""
    figure.update_traces(opacity=0.35)
    figure.add_annotation(
        text=label,
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        showarrow=False,
        font={"size": FONT_SIZE},
    )
    return figure


def overlaid_curves(
    runs: list[tuple[str, list[Progress]]],
    value: str = "accuracy",
    over: str = "epoch",
    marked: str = "",
) -> go.Figure:
    """Several runs in one figure: validation with markers, training batches dotted.

    Args:
        runs: a name and the reports of each, at most six.
        value: "accuracy" or "loss".
        over: "epoch" or "seconds", the horizontal axis.
        marked: the name of the run with thicker lines than the others, if there is one.
    """
    figure = go.Figure()
    # Batches first, so that they are drawn behind all validation curves.
    for place, (name, reports) in enumerate(runs):
        width = 3 if name == marked else 1.5
        figure.add_scatter(
            x=[round(getattr(report, over), 3) for report in reports],
            y=[round(getattr(report, value), 5) for report in reports],
            mode="lines",
            line={"color": RUN_COLOURS[place % len(RUN_COLOURS)], "width": width, "dash": "dot"},
            legendgroup=str(place),
            showlegend=False,
            hoverinfo="skip",
        )
    legend_height = 0
    validations: list[float] = []
    for place, (name, reports) in enumerate(runs):
        lines = _legend_lines(name)
        legend_height += LEGEND_ENTRY + LEGEND_LINE * (len(lines) - 1)
        validation = _validated(reports, value)
        validations += validation
        size = 2 if name == marked else 1
        figure.add_scatter(
            x=[round(getattr(report, over), 3) for report in epoch_ends(reports)],
            y=[round(share, 5) for share in validation],
            mode="lines+markers",
            name="<br>".join(lines),
            legendgroup=str(place),
            line={"color": RUN_COLOURS[place % len(RUN_COLOURS)], "width": 3 * size},
            marker={"size": 3 + 6 * size, "symbol": RUN_SYMBOLS[place % len(RUN_SYMBOLS)]},
            # Show the whole name on hover.
            hoverlabel={"namelength": -1},
        )
    _lay_out_overlaid(figure, runs, validations, value, over, legend_height)
    return figure


def _lay_out_overlaid(
    figure: go.Figure,
    runs: list[tuple[str, list[Progress]]],
    validations: list[float],
    value: str,
    over: str,
    legend_height: int,
) -> None:
    title = "Epoch" if over == "epoch" else "Seconds of training"
    figure.update_xaxes(title={"text": title, "standoff": 8}, rangemode="tozero")
    if value == "accuracy":
        _accuracy_axis(figure, validations, usual=0.94, step=0.02)
    else:
        # With smoothed labels training ends well above validation.
        ends = [reports[-1].loss for _, reports in runs if reports]
        figure.update_yaxes(title="Loss", range=[0, 1.3 * max(validations + ends, default=1.0)])
    figure.update_layout(
        # Keep the person's zoom unless the axis changes.
        uirevision=over,
        height=350 + legend_height,
        margin={"l": 64, "r": 12, "t": 8, "b": 62 + legend_height},
        legend={"x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
        font={"size": FONT_SIZE},
        hovermode="closest",
    )


def _legend_lines(name: str) -> list[str]:
    """A name in lines that fit the legend. Plotly interprets names as HTML."""
    lines = textwrap.wrap(name, LEGEND_CHARACTERS, break_on_hyphens=False)
    return [html.escape(line, quote=False) for line in lines]


def _curves(reports: list[Progress], epochs: int, value: str) -> go.Figure:
    figure = go.Figure()
    figure.add_scatter(
        x=[round(report.epoch, 3) for report in reports],
        y=[round(getattr(report, value), 5) for report in reports],
        mode="lines",
        name="Training batches",
        line={"color": BLUE, "width": 2},
    )
    figure.add_scatter(
        x=[round(report.epoch, 3) for report in epoch_ends(reports)],
        y=[round(share, 5) for share in _validated(reports, value)],
        mode="lines+markers",
        name="Validation images",
        line={"color": VERMILION, "width": 3},
        marker={"size": 9, "symbol": "diamond"},
    )
    _over_epochs(figure, epochs, height=340)
    figure.update_layout(legend={"x": 0.98, "xanchor": "right", "bgcolor": "rgba(0,0,0,0)"})
    return figure


def _over_epochs(figure: go.Figure, epochs: int, height: int) -> None:
    """Lay out a figure of one run's reports over its epochs."""
    figure.update_xaxes(title="Epoch", range=[0, epochs * 1.02])
    figure.update_layout(
        # Zoom and hidden lines stay as the person set them while points arrive.
        uirevision="constant",
        height=height,
        margin={"l": 64, "r": 12, "t": 8, "b": 52},
        font={"size": FONT_SIZE},
        hovermode="x unified",
    )
