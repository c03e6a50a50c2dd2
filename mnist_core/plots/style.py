"""What all figures share: colours, sizes and letters. No figure knows of pages or runs.

Colours are Okabe and Ito's, told apart by all kinds of colour vision, and by eye on a
projector: https://jfly.uni-koeln.de/color/.
"""

from typing import Any

import plotly.graph_objects as go

# Both stand out by 3 to 1 from a white and from a dark page; orange and light blue, which are
# Okabe and Ito's too, are lost on white.
BLUE, VERMILION = "#0072B2", "#D55E00"
INK, WHITE = "#16202B", "#FFFFFF"
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
GREY, DARK_PAGE = "#8A949E", "#0E1420"
FONT_SIZE = 16


def counted(count: int, noun: str) -> str:
    """Such as "1 image" or "1,013 images"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def text_font(dark: bool) -> dict[str, object]:
    """The page's own text colour, which stands out more than Plotly's grey."""
    return {"size": FONT_SIZE, "color": "#F2F5F8" if dark else INK}


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
