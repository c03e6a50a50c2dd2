"""Plain arrays -> Plotly figures. Nothing here knows of pages or runs.

Colours are Okabe and Ito's, told apart by all kinds of colour vision, and by eye on a
projector: https://jfly.uni-koeln.de/color/.
"""

import html
import textwrap

import numpy as np
import plotly.graph_objects as go

from mnist_core.data import CLASSES
from mnist_core.progress import Progress, epoch_ends

BLUE, ORANGE = "#0072B2", "#E69F00"
LIGHT_BLUE = "#56B4E9"
SELECTED = "#D55E00"
# One for each of several runs; lines also differ by their markers. Those that are seen best
# on white and on a dark page alike come first.
RUN_COLOURS = [BLUE, SELECTED, "#009E73", "#CC79A7", ORANGE, LIGHT_BLUE]
RUN_SYMBOLS = ["diamond", "circle", "square", "triangle-up", "cross", "x"]
# From nothing to most, on a light and on a dark page: nothing looks like the page.
LIGHT_SCALE = [[0, "#F7FBFF"], [0.3, "#B5D4EC"], [0.7, "#3B87BD"], [1, "#08306B"]]
DARK_SCALE = [[0, "#131C2B"], [0.3, "#1F4B7A"], [0.7, "#56A5DE"], [1, "#E3F1FC"]]
FONT_SIZE = 16
# A legend of long names below a chart: signs that fit beside each other on a phone, and
# pixels that Plotly takes for an entry and for each further line of it.
LEGEND_SIGNS, LEGEND_ENTRY, LEGEND_LINE = 26, 34, 21


def accuracy_curves(reports: list[Progress], epochs: int) -> go.Figure:
    """Accuracy on training batches and on the validation images, over the epochs.

    Args:
        reports: in order; may be empty.
        epochs: the whole run's, so that the axis does not move while it trains.
    """
    figure = _curves(
        reports,
        epochs,
        [report.accuracy for report in reports],
        [report.validation_accuracy for report in reports],
    )
    # Below 80 % most runs spend only their first moments; the rest deserves the room.
    later = [report.accuracy for report in reports if report.epoch > 0.2]
    bottom = min([0.8, *(0.1 * int(10 * accuracy) for accuracy in later)])
    figure.update_yaxes(title="Accuracy", range=[bottom, 1.003], tickformat=".0%")
    # Where the curves leave room: below an accuracy that rises, above a loss that falls.
    figure.update_layout(legend={"y": 0.03, "yanchor": "bottom"})
    return figure


def loss_curves(reports: list[Progress], epochs: int) -> go.Figure:
    """Loss in nats on training batches and on the validation images, over the epochs."""
    figure = _curves(
        reports,
        epochs,
        [report.loss for report in reports],
        [report.validation_loss for report in reports],
    )
    figure.update_yaxes(title="Loss", rangemode="tozero")
    figure.update_layout(legend={"y": 0.98, "yanchor": "top"})
    if reports:
        # The first few batches are far off; a fixed top keeps the rest readable.
        later = [report.loss for report in reports if report.epoch > 0.2] or [reports[-1].loss]
        figure.update_yaxes(range=[0, max(0.4, 1.1 * max(later))])
    return figure


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


def overlaid_curves(
    runs: list[tuple[str, list[Progress]]], value: str = "accuracy", over: str = "epoch"
) -> go.Figure:
    """Several runs in one figure: validation with markers, training batches thin.

    Args:
        runs: a name and the reports of each, at most six.
        value: "accuracy" or "loss".
        over: "epoch" or "seconds", what they are drawn over.
    """
    figure = go.Figure()
    # First, so that no run's batches lie over another's validation.
    for place, (_, reports) in enumerate(runs):
        figure.add_scatter(
            x=[round(getattr(report, over), 3) for report in reports],
            y=[round(getattr(report, value), 5) for report in reports],
            mode="lines",
            line={"color": RUN_COLOURS[place % len(RUN_COLOURS)], "width": 1.5, "dash": "dot"},
            legendgroup=str(place),
            showlegend=False,
            hoverinfo="skip",
        )
    legend_height = 0
    validations: list[float] = []
    for place, (name, reports) in enumerate(runs):
        # Plotly takes names for a kind of HTML.
        lines = [html.escape(line, quote=False) for line in textwrap.wrap(name, LEGEND_SIGNS)]
        legend_height += LEGEND_ENTRY + LEGEND_LINE * (len(lines) - 1)
        validated = epoch_ends(reports)
        validations += [getattr(report, f"validation_{value}") for report in validated]
        figure.add_scatter(
            x=[round(getattr(report, over), 3) for report in validated],
            y=[round(getattr(report, f"validation_{value}"), 5) for report in validated],
            mode="lines+markers",
            name="<br>".join(lines),
            legendgroup=str(place),
            line={"color": RUN_COLOURS[place % len(RUN_COLOURS)], "width": 3},
            marker={"size": 9, "symbol": RUN_SYMBOLS[place % len(RUN_SYMBOLS)]},
            # The whole name beside a point that is pointed at.
            hoverlabel={"namelength": -1},
        )
    title = "Epoch" if over == "epoch" else "Seconds of training"
    figure.update_xaxes(title={"text": title, "standoff": 8}, rangemode="tozero")
    if value == "accuracy":
        bottom = min([0.94, *(0.02 * int(50 * low) for low in validations)])
        figure.update_yaxes(title="Accuracy", range=[bottom, 1.003], tickformat=".0%")
    else:
        # With smoothed labels training ends well above validation; it shall be seen too.
        ends = [reports[-1].loss for _, reports in runs if reports]
        figure.update_yaxes(title="Loss", range=[0, 1.3 * max(validations + ends, default=1.0)])
    figure.update_layout(
        # Another axis is another view; the same one stays as the person left it.
        uirevision=over,
        height=350 + legend_height,
        margin={"l": 64, "r": 12, "t": 8, "b": 62 + legend_height},
        legend={"x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
        font={"size": FONT_SIZE},
        hovermode="closest",
    )
    return figure


def _curves(
    reports: list[Progress], epochs: int, batch: list[float], validation: list[float | None]
) -> go.Figure:
    figure = go.Figure()
    figure.add_scatter(
        x=[round(report.epoch, 3) for report in reports],
        y=[round(value, 5) for value in batch],
        mode="lines",
        name="Training batches",
        line={"color": LIGHT_BLUE, "width": 2},
    )
    points = [(r.epoch, v) for r, v in zip(reports, validation, strict=True) if v is not None]
    figure.add_scatter(
        x=[round(epoch, 3) for epoch, _ in points],
        y=[round(value, 5) for _, value in points],
        mode="lines+markers",
        name="Validation images",
        line={"color": ORANGE, "width": 3},
        marker={"size": 9, "symbol": "diamond"},
    )
    _over_epochs(figure, epochs, height=340)
    figure.update_layout(legend={"x": 0.98, "xanchor": "right", "bgcolor": "rgba(0,0,0,0)"})
    return figure


def _over_epochs(figure: go.Figure, epochs: int, height: int) -> None:
    """Lay out a figure of one run's reports over its epochs."""
    figure.update_xaxes(title="Epoch", range=[0, epochs * 1.02])
    figure.update_layout(
        # Zoom and hidden lines stay as the person left them while points arrive.
        uirevision="constant",
        height=height,
        margin={"l": 64, "r": 12, "t": 8, "b": 52},
        font={"size": FONT_SIZE},
        hovermode="x unified",
    )


def confusion_heatmap(
    counts: np.ndarray, share: bool = False, mistakes_only: bool = False, dark: bool = False
) -> go.Figure:
    """A confusion matrix whose cells can be clicked.

    Plotly reports no clicks on a heatmap's cells, so an invisible square marker lies over
    each; a selected one shows. Its ``customdata`` is [true digit, predicted digit, count].

    Args:
        counts: int (10, 10), row the true digit, column the predicted one.
        share: write the share of the true digit's images instead of their number.
        mistakes_only: leave the diagonal out, so that mistakes have the whole scale.
        dark: for a page with a dark background.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    text = [
        [(f"{part:.1%}" if share else f"{count:,}") if count else "" for count, part in row]
        for row in (zip(*pair, strict=True) for pair in zip(counts, shares, strict=True))
    ]
    # Right answers outnumber any mistake a hundred times: on a plain scale mistakes vanish.
    colours = np.log1p(counts.astype(float))
    if mistakes_only:
        np.fill_diagonal(colours, np.nan)
        for digit in range(CLASSES):
            text[digit][digit] = ""
    digits = list(range(CLASSES))
    figure = go.Figure()
    figure.add_heatmap(
        z=[[None if np.isnan(value) else float(value) for value in row] for row in colours],
        x=digits,
        y=digits,
        text=text,
        texttemplate="%{text}",
        textfont={"size": 15 if share else 17},
        colorscale=DARK_SCALE if dark else LIGHT_SCALE,
        zmin=0,
        showscale=False,
        xgap=2,
        ygap=2,
        hoverinfo="skip",
    )
    true, predicted = (axis.ravel() for axis in np.indices(counts.shape))
    figure.add_scatter(
        x=predicted.tolist(),
        y=true.tolist(),
        mode="markers",
        marker={"symbol": "square", "size": 40, "color": SELECTED, "opacity": 0},
        selected={"marker": {"opacity": 0.45}},
        unselected={"marker": {"opacity": 0}},
        customdata=np.stack([true, predicted, counts.ravel()], axis=1).tolist(),
        hovertemplate="True %{customdata[0]}, predicted %{customdata[1]}: "
        "%{customdata[2]} images<extra></extra>",
        showlegend=False,
    )
    font = {"size": FONT_SIZE, "color": "#F2F5F8" if dark else "#16202B"}
    axis = {
        "tickmode": "array",
        "tickvals": digits,
        "tickfont": font,
        "ticks": "",
        "showgrid": False,
        "zeroline": False,
        # A swipe over the chart scrolls the page; nothing here is worth zooming into.
        "fixedrange": True,
    }
    figure.update_xaxes(title={"text": "Predicted digit", "font": font}, range=[-0.5, 9.5], **axis)
    figure.update_yaxes(title={"text": "True digit", "font": font}, range=[9.5, -0.5], **axis)
    figure.update_layout(
        clickmode="event+select",
        dragmode=False,
        hovermode="closest",
        height=560,
        margin={"l": 56, "r": 8, "t": 8, "b": 56},
    )
    return figure
