"""Plain arrays -> Plotly figures. Nothing here knows of pages or runs.

Colours are Okabe and Ito's, told apart by all kinds of colour vision, and by eye on a
projector: https://jfly.uni-koeln.de/color/.
"""

import contextlib
import html
import math
import textwrap
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from mnist_core.confidence import Coverage, CoverageCurve, ReliabilityBin
from mnist_core.data import CLASSES
from mnist_core.evaluation import GUESSING, share_of_column, share_of_row
from mnist_core.progress import Progress, epoch_ends

# Both stand out by 3 to 1 from a white and from a dark page; orange and light blue, which are
# Okabe and Ito's too, are lost on white.
BLUE, VERMILION = "#0072B2", "#D55E00"
INK, WHITE = "#16202B", "#FFFFFF"
# One for each of several runs; lines also differ by their markers. The last two are not
# Okabe and Ito's: of the colours that stand out from both pages they differ most from these.
RUN_COLOURS = [BLUE, VERMILION, "#009E73", "#CC79A7", "#9040F0", "#846030"]
RUN_SYMBOLS = ["diamond", "circle", "square", "triangle-up", "cross", "x"]
# One for each digit, wherever digits are coloured: ten colours chosen by Petroff (2021),
# arXiv:2107.02270, to be told apart by all kinds of colour vision. Dealt out so that digits
# often taken for each other differ most: 4, 7 and 9; 3, 5 and 8.
DIGIT_COLOURS = [
    "#94A4A2",
    "#A96B59",
    "#3F90DA",
    "#BD1F01",
    "#717581",
    "#832DB6",
    "#FFA90E",
    "#E76300",
    "#B9AC70",
    "#92DADB",
]
# From nothing to most, on a light and on a dark page: nothing looks like the page.
LIGHT_SCALE = [[0, "#F7FBFF"], [0.3, "#B5D4EC"], [0.7, "#3B87BD"], [1, "#08306B"]]
DARK_SCALE = [[0, "#131C2B"], [0.3, "#1F4B7A"], [0.7, "#56A5DE"], [1, "#E3F1FC"]]
# From more in the second over no difference to more in the first.
LIGHT_DIFFERENCES = [[0, "#0072B2"], [0.5, "#F7F8FA"], [1, "#E69F00"]]
DARK_DIFFERENCES = [[0, "#56B4E9"], [0.5, "#131C2B"], [1, "#E69F00"]]
# Of several trainings: from blue over grey to vermilion, all of which stand out from both pages.
WORST_TO_BEST = [[0, BLUE], [1, VERMILION]]
GREY, DARK_PAGE = "#8A949E", "#0E1420"
# Of an axis that lies, with what is written above and below it; and where it may be marked.
ROW_HEIGHT = 104
ROUND_ACCURACIES = (0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
FONT_SIZE = 16
# Numbers in the cells of a matrix are read from the back of a room.
CELL_SIZE = 19
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
    # Below 80% most runs spend only their first moments; the rest deserves the room.
    later = [report.accuracy for report in reports if report.epoch > 0.2]
    _accuracy_axis(figure, later + _validated(reports, "accuracy"), usual=0.8, step=0.1)
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
        figure.update_yaxes(range=[0, max(0.4, 1.1 * max(later + _validated(reports, "loss")))])
    return figure


def _validated(reports: list[Progress], value: str) -> list[float]:
    """All values of "accuracy" or "loss" on the validation images."""
    return [getattr(report, f"validation_{value}") for report in epoch_ends(reports)]


def _accuracy_axis(figure: go.Figure, values: list[float], usual: float, step: float) -> None:
    """An axis up to 100% that shows all these values, and what guessing gives where that is seen.

    Args:
        usual: where it begins if no value is lower.
        step: in how large steps it begins lower, so that it seldom moves while values arrive.
    """
    # With room for half a marker below the lowest.
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
        _accuracy_axis(figure, validations, usual=0.94, step=0.02)
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


def parallel_coordinates(
    axes: list[tuple[str, list[str]]],
    trainings: list[tuple[list[str], float, str]],
    dark: bool = False,
) -> go.Figure:
    """Several trainings as lines through what was tried, down to how well each did.

    The axes lie one below the other, so that five of them fit on a phone. Not Plotly's own
    ``Parcoords``: its lines are a pixel wide, which no back row sees, and it cannot say which
    training it is that one points at.

    Args:
        axes: for each setting its title and all values that are tried, as they are written;
            they stand equally far apart, numbers in their order.
        trainings: each one's value on each axis, its accuracy, 0 to 1, and what is said of it
            where it is pointed at; may be empty.
        dark: for a page with a dark background.
    """
    figure = go.Figure()
    places = [_evenly(values) for _, values in axes]
    accuracies = [accuracy for _, accuracy, _ in trainings]
    titles = [*(title for title, _ in axes), "Validation accuracy"]
    rows = list(range(len(axes), -1, -1))
    for title, row, ticks in zip(titles, rows, [*places, _accuracy_ticks(accuracies)], strict=True):
        _lying_axis(figure, title, row, ticks, dark)
    # The best last, so that it lies above the others.
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
        dragmode=False,
        hovermode="closest",
        hoverlabel={"font": {"size": FONT_SIZE}},
    )
    return figure


def _lying_axis(
    figure: go.Figure, title: str, row: float, ticks: dict[str, float], dark: bool
) -> None:
    """A line from left to right, its title above its beginning, its values below it."""
    figure.add_shape(
        type="line", x0=0, x1=1, y0=row, y1=row, layer="below", line={"color": GREY, "width": 2}
    )
    # The page's own colour behind the letters, so that no line crosses them out.
    written = {"showarrow": False, "bgcolor": DARK_PAGE if dark else WHITE, "borderpad": 1}
    figure.add_annotation(
        x=-0.07, y=row, xanchor="left", yshift=24, text=f"<b>{title}</b>", **written
    )
    for text, place in ticks.items():
        figure.add_annotation(x=place, y=row, yshift=-20, text=text, **written)


def _evenly(texts: list[str]) -> dict[str, float]:
    """A place from 0 to 1 for each of these values, numbers in their order."""
    distinct = list(dict.fromkeys(texts))
    with contextlib.suppress(ValueError):
        distinct.sort(key=float)
    last = len(distinct) - 1
    return {text: place / last if last else 0.5 for place, text in enumerate(distinct)}


def _by_errors(values: list[float], accuracies: list[float]) -> list[float]:
    """Places from 0 for the worst of these accuracies to 1 for the best, by the logarithm of the
    share of errors: from 98 to 99 % is as far as from 80 to 90 %."""
    least, *errors = (math.log(max(1 - value, 1e-4)) for value in [max(accuracies), *values])
    most = math.log(max(1 - min(accuracies), 1e-4))
    return [(most - error) / (most - least) if most > least else 0.5 for error in errors]


def _accuracy_ticks(accuracies: list[float]) -> dict[str, float]:
    """What is written where on the axis of accuracies: both ends, and round values between."""
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


def _curves(
    reports: list[Progress], epochs: int, batch: list[float], validation: list[float | None]
) -> go.Figure:
    figure = go.Figure()
    figure.add_scatter(
        x=[round(report.epoch, 3) for report in reports],
        y=[round(value, 5) for value in batch],
        mode="lines",
        name="Training batches",
        line={"color": BLUE, "width": 2},
    )
    points = [(r.epoch, v) for r, v in zip(reports, validation, strict=True) if v is not None]
    figure.add_scatter(
        x=[round(epoch, 3) for epoch, _ in points],
        y=[round(value, 5) for _, value in points],
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
        # Zoom and hidden lines stay as the person left them while points arrive.
        uirevision="constant",
        height=height,
        margin={"l": 64, "r": 12, "t": 8, "b": 52},
        font={"size": FONT_SIZE},
        hovermode="x unified",
    )


def confusion_heatmap(
    counts: np.ndarray, written: str = "count", mistakes_only: bool = False, dark: bool = False
) -> go.Figure:
    """A confusion matrix whose cells can be clicked, as ``_cells`` says.

    Args:
        counts: int (10, 10), row the true digit, column the predicted one.
        written: "count" writes the number of images into each cell, "true" their share of
            the true digit's images, "predicted" their share of those predicted so.
        mistakes_only: leave the diagonal out, so that mistakes have the whole scale.
        dark: for a page with a dark background.
    """
    if written == "count":
        text = [[f"{count:,}" if count else "" for count in row] for row in counts]
    else:
        shares = {"true": share_of_row, "predicted": share_of_column}[written](counts)
        text = [[f"{share:.1%}" if share else "" for share in row] for row in shares]
    # Right answers outnumber any mistake a hundred times: on a plain scale mistakes vanish.
    shades = np.log1p(counts.astype(float))
    if mistakes_only:
        np.fill_diagonal(shades, np.nan)
        for digit in range(CLASSES):
            text[digit][digit] = ""
    # Where all is 0, nothing is divided.
    shades /= float(np.nanmax(shades)) or 1.0
    said = [[counted(count, "image") for count in row] for row in counts.tolist()]
    return _cells(counts, shades, DARK_SCALE if dark else LIGHT_SCALE, text, said, dark)


def difference_heatmap(first: np.ndarray, second: np.ndarray, dark: bool = False) -> go.Figure:
    """Where two confusion matrices differ; its cells can be clicked, as ``_cells`` says.

    A cell says how many more images the first has there: orange and with a plus where it
    has more, blue and with a minus where the second has. Orange on the diagonal speaks for
    the first, beside the diagonal against it.

    Args:
        first, second: int (10, 10) each, row the true digit, column the predicted one.
        dark: for a page with a dark background.
    """
    difference = first - second
    text = [[f"{more:+,}".replace("-", "−") if more else "" for more in row] for row in difference]
    said = [
        [f"{counted(one, 'image')} by the first, {other:,} by the second" for one, other in pair]
        for pair in (
            zip(*rows, strict=True) for rows in zip(first.tolist(), second.tolist(), strict=True)
        )
    ]
    # As above: the diagonal differs by more than the mistakes do.
    sizes = np.sign(difference) * np.log1p(np.abs(difference).astype(float))
    shades = 0.5 + 0.5 * sizes / (float(np.abs(sizes).max()) or 1.0)
    scale = DARK_DIFFERENCES if dark else LIGHT_DIFFERENCES
    return _cells(difference, shades, scale, text, said, dark)


def counted(count: int, noun: str) -> str:
    """Such as "1 image" or "1,013 images"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _cells(
    values: np.ndarray,
    shades: np.ndarray,
    scale: list[list[Any]],
    text: list[list[str]],
    said: list[list[str]],
    dark: bool,
) -> go.Figure:
    """Ten by ten cells, row the true digit, column the predicted one.

    Plotly reports no clicks on a heatmap's cells, so an invisible square marker lies over
    each; a selected one shows. Its ``customdata`` is [true digit, predicted digit, value].

    Args:
        values: int (10, 10).
        shades: float (10, 10), each cell's place on the scale, 0 to 1; nan for none.
        scale: pairs of a place and its colour.
        text: what is written into each cell.
        said: what is said of a cell that is pointed at, after its two digits.
    """
    digits = list(range(CLASSES))
    figure = go.Figure()
    figure.add_heatmap(
        z=[[None if np.isnan(shade) else shade for shade in row] for row in shades.tolist()],
        x=digits,
        y=digits,
        colorscale=scale,
        zmin=0,
        zmax=1,
        showscale=False,
        xgap=2,
        ygap=2,
        hoverinfo="skip",
    )
    true, predicted = (axis.ravel() for axis in np.indices(values.shape))
    figure.add_scatter(
        x=predicted.tolist(),
        y=true.tolist(),
        mode="markers+text",
        marker={"symbol": "square", "size": 40, "color": VERMILION, "opacity": 0},
        # On a phone cells are narrow: the marker leaves its neighbours' numbers free. Naming
        # a colour for the selected number keeps Plotly from fading all others.
        selected={"marker": {"opacity": 1, "size": 36}, "textfont": {"color": INK}},
        unselected={"marker": {"opacity": 0}},
        text=[written for row in text for written in row],
        textfont={"size": CELL_SIZE, "color": _readable(shades, scale)},
        customdata=np.stack([true, predicted, values.ravel()], axis=1).tolist(),
        hovertext=[sentence for row in said for sentence in row],
        hovertemplate="True %{customdata[0]}, predicted %{customdata[1]}: "
        "%{hovertext}<extra></extra>",
        showlegend=False,
    )
    font = _font(dark)
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
        hoverlabel={"font": {"size": FONT_SIZE}},
        height=560,
        margin={"l": 56, "r": 8, "t": 8, "b": 56},
    )
    return figure


def _readable(shades: np.ndarray, scale: list[list[Any]]) -> list[str]:
    """Ink or white for each cell, whichever stands out more; Plotly's own choice is greyer."""
    places = [place for place, _ in scale]
    colours = [[int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] for _, colour in scale]
    channels = [
        np.interp(shades.ravel(), places, channel) for channel in zip(*colours, strict=True)
    ]
    # Relative luminance as in WCAG 2, roughly; at 0.21 both stand out alike.
    luminance = np.array([0.2126, 0.7152, 0.0722]) @ np.array(channels) ** 2.2
    return [INK if bright > 0.21 else WHITE for bright in luminance]


def _font(dark: bool) -> dict[str, object]:
    """The page's own text colour, which stands out more than Plotly's grey."""
    return {"size": FONT_SIZE, "color": "#F2F5F8" if dark else INK}


def reliability_chart(bins: list[ReliabilityBin], dark: bool = False) -> go.Figure:
    """How often a network is right, over how sure it is; at best all points lie on the line.

    Args:
        bins: as ``confidence.reliability`` gives them; may be empty.
        dark: for a page with a dark background.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="As often right as it says",
        line={"color": VERMILION, "width": 3, "dash": "dash"},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[each.confidence for each in bins],
        y=[each.accuracy for each in bins],
        error_y={
            "array": [each.high - each.accuracy for each in bins],
            "arrayminus": [each.accuracy - each.low for each in bins],
            "thickness": 3,
            "width": 6,
        },
        mode="markers",
        name="This network, with 95% confidence intervals",
        marker={"size": 12, "color": BLUE},
        customdata=[[each.count, each.low, each.high] for each in bins],
        hovertemplate="%{customdata[0]:,} images<br>sure: %{x:.1%}<br>right: %{y:.1%} "
        "(%{customdata[1]:.1%} to %{customdata[2]:.1%})<extra></extra>",
    )
    whole = {"range": [-0.03, 1.03], "tickformat": ".0%", "dtick": 0.2}
    _curve_layout(figure, dark, "How sure it is", "How often it is right")
    figure.update_xaxes(**whole)
    figure.update_yaxes(**whole)
    return figure


def coverage_chart(curve: CoverageCurve, chosen: Coverage, dark: bool = False) -> go.Figure:
    """Accuracy of the answers given, over the share of images that are answered at all.

    Args:
        curve: as ``confidence.coverage_curve`` gives it.
        chosen: the threshold to mark, as ``confidence.coverage`` gives it.
        dark: for a page with a dark background.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=curve.share.tolist(),
        y=curve.accuracy.tolist(),
        mode="lines",
        name="Any threshold",
        line={"color": BLUE, "width": 3},
        customdata=np.stack([curve.thresholds, curve.wrong], axis=1).tolist(),
        hovertemplate="from %{customdata[0]:.2%} on<br>answered: %{x:.1%}<br>right: %{y:.2%}"
        "<br>wrong answers: %{customdata[1]:,}<extra></extra>",
    )
    # Where nothing is answered there is no accuracy, and nothing to mark.
    marked = [] if chosen.accuracy is None else [chosen]
    figure.add_scatter(
        x=[point.share for point in marked],
        y=[point.accuracy for point in marked],
        mode="markers",
        name=f"Answers from {100 * chosen.threshold:g} % on",
        marker={"size": 16, "symbol": "diamond", "color": VERMILION},
        customdata=[[point.wrong] for point in marked],
        hovertemplate="answered: %{x:.1%}<br>right: %{y:.2%}"
        "<br>wrong answers: %{customdata[0]:,}<extra></extra>",
    )
    lowest = min(
        [*curve.accuracy.tolist(), *(point.accuracy or 0.0 for point in marked)], default=0
    )
    room = 0.08 * max(1 - lowest, 0.01)
    _curve_layout(figure, dark, "Share of images answered", "Right among the answers")
    figure.update_xaxes(range=[-0.03, 1.03], tickformat=".0%", dtick=0.2)
    figure.update_yaxes(range=[lowest - room, 1 + room], tickformat="~%", nticks=6)
    return figure


def _curve_layout(figure: go.Figure, dark: bool, across: str, up: str) -> None:
    """What the figures of confidence have in common."""
    font = _font(dark)
    # A swipe over the chart scrolls the page.
    axis = {"tickfont": font, "zeroline": False, "fixedrange": True}
    figure.update_xaxes(title={"text": across, "font": font}, **axis)
    figure.update_yaxes(title={"text": up, "font": font}, **axis)
    figure.update_layout(
        height=420,
        margin={"l": 76, "r": 24, "t": 64, "b": 56},
        # Above: a poor network's points may lie anywhere.
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": font},
        dragmode=False,
        hovermode="closest",
        hoverlabel={"font": {"size": FONT_SIZE}},
    )


def digit_counts(counts: np.ndarray, dark: bool = False) -> go.Figure:
    """How many images each digit has.

    Args:
        counts: int (10,).
        dark: for a page with a dark background.
    """
    figure = go.Figure()
    figure.add_bar(
        x=list(range(CLASSES)),
        y=counts.tolist(),
        marker={"color": DIGIT_COLOURS, "line": _outline(dark)},
        hovertemplate="%{y:,} images of a %{x}<extra></extra>",
    )
    figure.update_yaxes(title="Images", tickformat=",", fixedrange=True)
    _over_digits(figure, dark)
    return figure


def ink_boxes(quantiles: np.ndarray, dark: bool = False) -> go.Figure:
    """How much ink the images of each digit hold, a box for each digit.

    Half of a digit's images lie in its box, nine in ten between its whiskers.

    Args:
        quantiles: float (10, 5), ``Glance.ink``; a digit with NaN has no box.
        dark: for a page with a dark background.
    """
    figure = go.Figure()
    for digit, values in enumerate(quantiles.tolist()):
        if np.isnan(values).any():
            continue
        low, first, median, third, high = ([round(value, 4)] for value in values)
        figure.add_box(
            x=[digit],
            lowerfence=low,
            q1=first,
            median=median,
            q3=third,
            upperfence=high,
            name=str(digit),
            fillcolor=DIGIT_COLOURS[digit],
            line=_outline(dark) | {"width": 2},
            showlegend=False,
        )
    figure.update_yaxes(
        title="Ink", tickformat=".0%", hoverformat=".1%", rangemode="tozero", fixedrange=True
    )
    _over_digits(figure, dark)
    return figure


def _outline(dark: bool) -> dict[str, Any]:
    """Around what has a digit's colour: some of the ten are as light as the page."""
    return {"color": _font(dark)["color"], "width": 1}


def _over_digits(figure: go.Figure, dark: bool) -> None:
    """Lay out a figure that has something for each digit."""
    font = _font(dark)
    figure.update_xaxes(
        title={"text": "Digit", "font": font},
        tickvals=list(range(CLASSES)),
        range=[-0.6, 9.6],
        fixedrange=True,
    )
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        axis.tickfont = axis.title.font = font
    figure.update_layout(
        height=320,
        margin={"l": 72, "r": 12, "t": 8, "b": 52},
        font={"size": FONT_SIZE},
        dragmode=False,
        hovermode="closest",
        hoverlabel={"font": {"size": FONT_SIZE}},
    )


def pixels(image: np.ndarray) -> go.Figure:
    """One picture, large, that tells the value of the pixel pointed at.

    Args:
        image: uint8 (28, 28).
    """
    figure = go.Figure()
    figure.add_heatmap(
        z=image.tolist(),
        colorscale=[[0, "#000000"], [1, "#FFFFFF"]],
        zmin=0,
        zmax=255,
        showscale=False,
        hovertemplate="row %{y}, column %{x}: <b>%{z}</b><extra></extra>",
    )
    axis = {"visible": False, "fixedrange": True}
    figure.update_xaxes(**axis)
    # Row 0 is the uppermost, and a pixel is a square.
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain", **axis)
    figure.update_layout(
        height=340,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        dragmode=False,
        hoverlabel={"font": {"size": FONT_SIZE}},
    )
    return figure


def enlarged(figure: go.Figure, factor: float) -> go.Figure:
    """The same figure so many times as high, with letters, lines and signs to match."""
    plain = figure.to_plotly_json()
    for part in [*plain["data"], plain["layout"]]:
        _enlarge(part, factor)
    return go.Figure(plain)


# What is in pixels, wherever it stands in a figure.
_IN_PIXELS = {"size", "width", "height", "thickness", "standoff", "yshift", "l", "r", "t", "b"}


def _enlarge(part: dict[str, Any], factor: float) -> None:
    for name, value in part.items():
        for inner in value if isinstance(value, list | tuple) else [value]:
            if isinstance(inner, dict):
                _enlarge(inner, factor)
        if name in _IN_PIXELS and isinstance(value, int | float):
            part[name] = factor * value
