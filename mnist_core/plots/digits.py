"""Figures about the digits themselves: how many of each, how much ink, the pixels of one."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from mnist_core.data import CLASSES
from mnist_core.plots.style import DIGIT_COLOURS, FONT_SIZE, STILL, text_font


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
    """The ink of each digit's images: a box holds half of them, its whiskers nine in ten.

    Args:
        quantiles: float (10, 5), as in ``analysis.summary``; a digit with NaN has no box.
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
    """For shapes in a digit's colour, some of which are as light as the page."""
    return {"color": text_font(dark)["color"], "width": 1}


def _over_digits(figure: go.Figure, dark: bool) -> None:
    """The layout of a figure over the ten digits."""
    font = text_font(dark)
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
        **STILL,
    )


def pixels(image: np.ndarray, height: int = 340) -> go.Figure:
    """An enlarged image, uint8 (28, 28), that shows a pixel's value on hover.

    Args:
        height: of the figure, in pixels of the page.
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
    # Row 0 at the top, pixels square.
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain", **axis)
    figure.update_layout(
        height=height,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        dragmode=False,
        hoverlabel={"font": {"size": FONT_SIZE}},
    )
    return figure
