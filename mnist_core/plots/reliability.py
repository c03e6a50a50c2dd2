"""Whether a network's confidence matches its accuracy, and what it gains by abstaining."""

import numpy as np
import plotly.graph_objects as go

from mnist_core.analysis.confidence import Coverage, CoverageCurve, ReliabilityBin
from mnist_core.plots.style import BLUE, STILL, VERMILION, text_font


def reliability_chart(bins: list[ReliabilityBin], dark: bool = False) -> go.Figure:
    """A network's accuracy over its confidence; if calibrated, all points lie on the diagonal.

    Args:
        bins: as ``confidence.reliability`` returns them; may be empty.
        dark: for a page with a dark background.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="Calibrated",
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
        name="This network",
        marker={"size": 12, "color": BLUE},
        customdata=[[each.count, each.low, each.high] for each in bins],
        hovertemplate="%{customdata[0]:,} images<br>sure: %{x:.1%}<br>right: %{y:.1%} "
        "(%{customdata[1]:.1%} to %{customdata[2]:.1%})<extra></extra>",
    )
    whole = {"range": [-0.03, 1.03], "tickformat": ".0%", "nticks": 6}
    _curve_layout(figure, dark, "Confidence", "Accuracy")
    figure.update_xaxes(**whole)
    figure.update_yaxes(**whole)
    return figure


def coverage_chart(curve: CoverageCurve, chosen: Coverage, dark: bool = False) -> go.Figure:
    """Accuracy of the answers given, over the share of images answered.

    Args:
        curve: as ``confidence.coverage_curve`` returns it.
        chosen: the threshold to mark, as ``confidence.coverage`` returns it.
        dark: for a page with a dark background.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=curve.share.tolist(),
        y=curve.accuracy.tolist(),
        mode="lines",
        showlegend=False,
        line={"color": BLUE, "width": 3},
        customdata=np.stack([curve.thresholds, curve.wrong], axis=1).tolist(),
        hovertemplate="from %{customdata[0]:.2%} on<br>answered: %{x:.1%}<br>right: %{y:.2%}"
        "<br>wrong answers: %{customdata[1]:,}<extra></extra>",
    )
    # Without answers there is no accuracy to mark.
    marked = [] if chosen.accuracy is None else [chosen]
    figure.add_scatter(
        x=[point.share for point in marked],
        y=[point.accuracy for point in marked],
        mode="markers",
        name=f"Answers from {100 * chosen.threshold:g}% on",
        marker={"size": 16, "symbol": "diamond", "color": VERMILION},
        customdata=[[point.wrong] for point in marked],
        hovertemplate="answered: %{x:.1%}<br>right: %{y:.2%}"
        "<br>wrong answers: %{customdata[0]:,}<extra></extra>",
    )
    lowest = min(
        [*curve.accuracy.tolist(), *(point.accuracy or 0.0 for point in marked)], default=0
    )
    room = 0.08 * max(1 - lowest, 0.01)
    _curve_layout(figure, dark, "Share of images answered", "Accuracy")
    figure.update_xaxes(range=[-0.03, 1.03], tickformat=".0%", nticks=6)
    figure.update_yaxes(range=[lowest - room, 1 + room], tickformat="~%", nticks=6)
    return figure


def _curve_layout(figure: go.Figure, dark: bool, across: str, up: str) -> None:
    """The layout that both figures share."""
    font = text_font(dark)
    axis = {"tickfont": font, "zeroline": False, "fixedrange": True}
    figure.update_xaxes(title={"text": across, "font": font}, **axis)
    figure.update_yaxes(title={"text": up, "font": font}, **axis)
    figure.update_layout(
        height=420,
        margin={"l": 76, "r": 24, "t": 36, "b": 52},
        # Above the plot, because a poor network's points may lie anywhere in it.
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": font},
        **STILL,
    )
