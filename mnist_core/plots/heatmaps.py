"""Confusion matrices, and the difference between two, as heatmaps."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from mnist_core.analysis.metrics import share_of_column, share_of_row
from mnist_core.data import CLASSES
from mnist_core.plots.style import INK, STILL, VERMILION, WHITE, counted, text_font

# From zero, which looks like the page, to the maximum; on light and on dark pages.
LIGHT_SCALE = [[0, "#F7FBFF"], [0.3, "#B5D4EC"], [0.7, "#3B87BD"], [1, "#08306B"]]
DARK_SCALE = [[0, "#131C2B"], [0.3, "#1F4B7A"], [0.7, "#56A5DE"], [1, "#E3F1FC"]]
# From more in the second to more in the first.
LIGHT_DIFFERENCES = [[0, "#0072B2"], [0.5, "#F7F8FA"], [1, "#E69F00"]]
DARK_DIFFERENCES = [[0, "#56B4E9"], [0.5, "#131C2B"], [1, "#E69F00"]]
# Legible from the back of a room.
CELL_SIZE = 19


def confusion_heatmap(
    counts: np.ndarray, written: str = "count", mistakes_only: bool = False, dark: bool = False
) -> go.Figure:
    """A confusion matrix with clickable cells, see ``_cells``.

    Args:
        counts: int (10, 10), row the true digit, column the predicted one.
        written: what each cell shows: "count" for its number of images, "true" for their
            share of the true digit's images, "predicted" for that of the predicted digit's.
        mistakes_only: leave out the diagonal, so that mistakes use the whole scale.
        dark: for a page with a dark background.
    """
    if written == "count":
        text = [[f"{count:,}" if count else "" for count in row] for row in counts]
    else:
        shares = {"true": share_of_row, "predicted": share_of_column}[written](counts)
        text = [[f"{share:.1%}" if share else "" for share in row] for row in shares]
    # Correct answers outnumber mistakes a hundred to one, so a linear scale would hide mistakes.
    shades = np.log1p(counts.astype(float))
    if mistakes_only:
        np.fill_diagonal(shades, np.nan)
        for digit in range(CLASSES):
            text[digit][digit] = ""
    shades /= float(np.nanmax(shades)) or 1.0
    said = [[counted(count, "image") for count in row] for row in counts.tolist()]
    return _cells(counts, shades, DARK_SCALE if dark else LIGHT_SCALE, text, said, dark)


def difference_heatmap(first: np.ndarray, second: np.ndarray, dark: bool = False) -> go.Figure:
    """The difference of two confusion matrices, with clickable cells, see ``_cells``.

    Cells where the first has more images are orange with a plus, those where the second has more
    blue with a minus. Orange is good for the first on the diagonal, and bad elsewhere.

    Args:
        first, second: int (10, 10) each, row the true digit, column the predicted one.
        dark: for a page with a dark background.
    """
    difference = first - second
    text = [[f"{more:+,}".replace("-", "−") if more else "" for more in row] for row in difference]
    said = [
        [
            f"{counted(one, 'image')} by the first, {other:,} by the second"
            for one, other in zip(*rows, strict=True)
        ]
        for rows in zip(first.tolist(), second.tolist(), strict=True)
    ]
    # Logarithmic like the matrix itself.
    sizes = np.sign(difference) * np.log1p(np.abs(difference).astype(float))
    shades = 0.5 + 0.5 * sizes / (float(np.abs(sizes).max()) or 1.0)
    scale = DARK_DIFFERENCES if dark else LIGHT_DIFFERENCES
    return _cells(difference, shades, scale, text, said, dark)


def _cells(
    values: np.ndarray,
    shades: np.ndarray,
    scale: list[list[Any]],
    text: list[list[str]],
    said: list[list[str]],
    dark: bool,
) -> go.Figure:
    """Ten by ten cells, row the true digit, column the predicted one.

    Plotly reports no clicks on a heatmap's cells, so each is covered by an invisible square
    marker, which shows once selected. Its ``customdata`` is [true digit, predicted digit, value].

    Args:
        values: int (10, 10).
        shades: float (10, 10), each cell's position on the scale, 0 to 1; nan for none.
        scale: pairs of a position and its colour.
        text: what is written in each cell.
        said: shown on hover after the cell's two digits.
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
        # Small enough for a phone's narrow cells. Setting a colour for the selected number keeps
        # Plotly from fading all others.
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
    _lay_out(figure, dark)
    return figure


def _lay_out(figure: go.Figure, dark: bool) -> None:
    font = text_font(dark)
    axis = {
        "tickmode": "array",
        "tickvals": list(range(CLASSES)),
        "tickfont": font,
        "ticks": "",
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }
    figure.update_xaxes(title={"text": "Predicted digit", "font": font}, range=[-0.5, 9.5], **axis)
    figure.update_yaxes(title={"text": "True digit", "font": font}, range=[9.5, -0.5], **axis)
    figure.update_layout(
        clickmode="event+select",
        height=560,
        margin={"l": 56, "r": 8, "t": 8, "b": 56},
        **STILL,
    )


def _readable(shades: np.ndarray, scale: list[list[Any]]) -> list[str]:
    """Dark or white text for each cell, whichever stands out more; Plotly's default is greyer."""
    places = [place for place, _ in scale]
    colours = [[int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] for _, colour in scale]
    channels = [
        np.interp(shades.ravel(), places, channel) for channel in zip(*colours, strict=True)
    ]
    # Relative luminance as in WCAG 2, approximately; at 0.21 both stand out equally.
    luminance = np.array([0.2126, 0.7152, 0.0722]) @ np.array(channels) ** 2.2
    return [INK if bright > 0.21 else WHITE for bright in luminance]
