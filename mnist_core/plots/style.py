"""What all figures share: colours and fonts.

Colours are Okabe and Ito's, distinct to all kinds of colour vision, and on a projector:
https://jfly.uni-koeln.de/color/.
"""

from typing import Any

import plotly.graph_objects as go

# Both have a contrast of 3 to 1 on white and on dark pages; Okabe and Ito's orange and light blue
# are too pale on white.
BLUE, VERMILION = "#0072B2", "#D55E00"
INK, WHITE = "#16202B", "#FFFFFF"
# A colour for each digit, from Petroff (2021), arXiv:2107.02270, distinct to all kinds of colour
# vision. Assigned so that digits often confused differ most: 4, 7 and 9; 3, 5 and 8.
DIGIT_COLOURS = [
    "#94A4A2", "#A96B59", "#3F90DA", "#BD1F01", "#717581",
    "#832DB6", "#FFA90E", "#E76300", "#B9AC70", "#92DADB",
]  # fmt: skip
GREY, DARK_PAGE = "#8A949E", "#0E1420"
FONT_SIZE = 16
# Written where there is no number.
NONE = "–"
# The layout of figures without zoom: a swipe over the chart should scroll the page. Their axes
# have ``fixedrange``.
STILL: dict[str, Any] = {
    "dragmode": False,
    "hovermode": "closest",
    "hoverlabel": {"font": {"size": FONT_SIZE}},
}


def counted(count: int, noun: str) -> str:
    """Such as "1 image" or "1,013 images"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def text_font(dark: bool) -> dict[str, object]:
    """In the page's own text colour, which stands out more than Plotly's grey."""
    return {"size": FONT_SIZE, "color": "#F2F5F8" if dark else INK}


def enlarged(figure: go.Figure, factor: float, text: float | None = None) -> go.Figure:
    """The same figure with its height, lines and markers enlarged, and its letters.

    Args:
        text: by how much letters are enlarged, those of legends and titles of axes included;
            ``factor`` if None.
    """
    plain = figure.to_plotly_json()
    for part in [*plain["data"], plain["layout"]]:
        _enlarge(part, factor, factor if text is None else text)
    return go.Figure(plain)


# Properties in pixels, anywhere in a figure.
_IN_PIXELS = {"size", "width", "height", "thickness", "standoff", "yshift", "l", "r", "t", "b"}


def _enlarge(part: dict[str, Any], factor: float, text: float, is_font: bool = False) -> None:
    for name, value in part.items():
        for inner in value if isinstance(value, list | tuple) else [value]:
            if isinstance(inner, dict):
                _enlarge(inner, factor, text, "font" in name)
        if name in _IN_PIXELS and isinstance(value, int | float):
            part[name] = (text if is_font else factor) * value
