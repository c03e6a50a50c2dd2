"""Confusion matrices, and the difference between two, as heatmaps."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from mnist_core.analysis.metrics import share_of_column, share_of_row
from mnist_core.data import CLASSES
from mnist_core.plots.style import INK, STILL, WHITE, counted, text_font

# From zero, which looks like the page, to the maximum; on light and on dark pages.
LIGHT_SCALE = [[0, "#F7FBFF"], [0.3, "#B5D4EC"], [0.7, "#3B87BD"], [1, "#08306B"]]
DARK_SCALE = [[0, "#131C2B"], [0.3, "#1F4B7A"], [0.7, "#56A5DE"], [1, "#E3F1FC"]]
# From more in the second to more in the first.
LIGHT_DIFFERENCES = [[0, "#0072B2"], [0.5, "#F7F8FA"], [1, "#E69F00"]]
DARK_DIFFERENCES = [[0, "#56B4E9"], [0.5, "#131C2B"], [1, "#E69F00"]]


def confusion_heatmap(
    counts: np.ndarray, written: str = "count", mistakes_only: bool = False, dark: bool = False
) -> go.Figure:
    """A confusion matrix, see ``_cells``.

    Args:
        counts: int (10, 10), row the true digit, column the predicted one.
        written: what each cell shows: "count" for its number of images, "true" for their
            percentage of the true digit's images, "predicted" for that of the predicted digit's.
            No cell has a comma or a percent sign: ten have to fit across a phone.
        mistakes_only: leave out the diagonal, so that mistakes use the whole scale.
        dark: for a page with a dark background.
    """
    if written == "count":
        text = [[str(count) if count else "" for count in row] for row in counts]
    else:
        shares = {"true": share_of_row, "predicted": share_of_column}[written](counts)
        text = [[f"{100 * share:.1f}" if share else "" for share in row] for row in shares]
    # Correct answers outnumber mistakes a hundred to one, so a linear scale would hide mistakes.
    shades = np.log1p(counts.astype(float))
    if mistakes_only:
        np.fill_diagonal(shades, np.nan)
        for digit in range(CLASSES):
            text[digit][digit] = ""
    shades /= float(np.nanmax(shades)) or 1.0
    said = [[counted(count, "image") for count in row] for row in counts.tolist()]
    figure = _cells(shades, DARK_SCALE if dark else LIGHT_SCALE, text, said, dark)
    if written != "count":
        line = {"true": "row", "predicted": "column"}[written]
        figure.update_xaxes(title={"text": f"Predicted digit (in the cells: % of the {line})"})
    return figure


def difference_heatmap(first: np.ndarray, second: np.ndarray, dark: bool = False) -> go.Figure:
    """The difference of two confusion matrices, see ``_cells``.

    Cells where the first has more images are orange with a plus, those where the second has more
    blue with a minus. Orange is good for the first on the diagonal, and bad elsewhere.

    Args:
        first, second: int (10, 10) each, row the true digit, column the predicted one.
        dark: for a page with a dark background.
    """
    difference = first - second
    text = [[f"{more:+}".replace("-", "−") if more else "" for more in row] for row in difference]
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
    return _cells(shades, scale, text, said, dark)


def _cells(
    shades: np.ndarray,
    scale: list[list[Any]],
    text: list[list[str]],
    said: list[list[str]],
    dark: bool,
) -> go.Figure:
    """Ten by ten cells, row the true digit, column the predicted one.

    Two traces: the cells, and what is written in them. The first trace's ``hovertext`` names each
    cell, such as "true 4, predicted 9, 12 images", and its ``meta`` holds each cell's colour, so
    that a page can paint the cells before Plotly has arrived.

    Args:
        shades: float (10, 10), each cell's position on the scale, 0 to 1; nan for none.
        scale: pairs of a position and its colour.
        text: what is written in each cell.
        said: what each cell's name says after its two digits.
    """
    digits = list(range(CLASSES))
    colours = _colours(shades, scale)
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
        hovertext=[
            [f"true {true}, predicted {predicted}, {said[true][predicted]}" for predicted in digits]
            for true in digits
        ],
        hoverinfo="text",
        meta=[_as_hex(colour) for colour in colours],
    )
    true, predicted = (axis.ravel() for axis in np.indices(shades.shape))
    # A heatmap's own numbers all have the same colour.
    figure.add_scatter(
        x=predicted.tolist(),
        y=true.tolist(),
        mode="text",
        text=[written for row in text for written in row],
        textfont={"color": [_readable(colour) for colour in colours]},
        hoverinfo="skip",
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
        # The page lays its buttons over the cells.
        "automargin": False,
    }
    figure.update_xaxes(title={"text": "Predicted digit", "font": font}, range=[-0.5, 9.5], **axis)
    figure.update_yaxes(title={"text": "True digit", "font": font}, range=[9.5, -0.5], **axis)
    # Plotly's own template would be half of what is sent, and everything in it is set here.
    figure.update_layout(template=None, **STILL)


def _colours(shades: np.ndarray, scale: list[list[Any]]) -> np.ndarray:
    """float (100, 3): each cell's red, green and blue, 0 to 1; nan for a cell without a shade."""
    places = [place for place, _ in scale]
    ends = [[int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] for _, colour in scale]
    return np.stack(
        [np.interp(shades.ravel(), places, channel) for channel in zip(*ends, strict=True)], axis=1
    )


def _as_hex(colour: np.ndarray) -> str:
    if np.isnan(colour).any():
        return "transparent"
    return "#" + "".join(f"{round(255 * channel):02X}" for channel in colour.tolist())


def _readable(colour: np.ndarray) -> str:
    """Dark or white, whichever stands out more on this colour; Plotly's default is greyer."""
    # Relative luminance as in WCAG 2, approximately; at 0.21 both stand out equally.
    luminance = np.array([0.2126, 0.7152, 0.0722]) @ colour**2.2
    return INK if luminance > 0.21 else WHITE
