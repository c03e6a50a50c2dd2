"""Plain arrays -> HTML: digits as small pictures, bars, tables.

HTML renders ten times as fast as a figure for each digit, needs no script, and has alternative
text. All text passed in is escaped here.
"""

import base64
import html
import io
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from mnist_core.analysis.metrics import percent

# Its colours follow the page's own text colour, so that light and dark pages both work.
_STYLE = f"<style>\n{Path(__file__).with_suffix('.css').read_text()}</style>"
# Okabe and Ito's vermilion, visible on white paper and on a blackboard.
FRAME = "#D55E00"

MAPS_A_ROW, UNITS_A_ROW = 8, 16
# In pixels. Maps of all sizes are enlarged to about this width, so that gaps look alike.
MAP_SIDE, UNIT_SIDE, GAP = 28, 14, 2
# The width of a full row on a wide page.
ROW_REM = 30
# The smallest change of a probability that is shown in full colour.
LEAST_FULL_COLOUR = 0.1
# If no weight reaches this, no pixel matters by itself.
LEAST_WEIGHT = 0.005
# Okabe and Ito's orange and light blue: equally bright on a digit's black, so that neither side
# looks stronger, and distinct to all kinds of colour vision.
FOR, AGAINST = (230, 159, 0), (86, 180, 233)
# The digit's own pixels stay visible through the strongest colour.
OPACITY = 0.7


def png(image: np.ndarray) -> bytes:
    """A picture as a PNG file.

    Args:
        image: uint8, (h, w) grey, (h, w, 2) grey and opacity, or (h, w, 3) red, green, blue.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def picture(image: np.ndarray, text: str) -> str:
    """An ``img`` element with the picture inside it and ``text`` for anyone who cannot see it."""
    data = base64.b64encode(png(image)).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{html.escape(text)}">'


def digit_grid(images: np.ndarray, captions: Sequence[str], texts: Sequence[str]) -> str:
    """Digits, uint8 (n, 28, 28), in rows that fit the page, with captions and alternative texts."""
    return _figures("digits", list(images), captions, texts)


def strip(pictures: Sequence[np.ndarray], captions: Sequence[str], texts: Sequence[str]) -> str:
    """Pictures of any size, uint8 (h, w), in order, with captions and alternative texts."""
    return _figures("strip", pictures, captions, texts)


def _figures(
    kind: str, pictures: Sequence[np.ndarray], captions: Sequence[str], texts: Sequence[str]
) -> str:
    figures = "".join(
        f"<figure>{picture(shown, text)}<figcaption>{html.escape(caption)}</figcaption></figure>"
        for shown, caption, text in zip(pictures, captions, texts, strict=True)
    )
    return f'{_STYLE}<div class="{kind}">{figures}</div>'


def framed(
    image: np.ndarray, boxes: Sequence[tuple[int, int, int, int]], full: tuple[int, ...], text: str
) -> str:
    """A picture with a frame around each figure that was found in it.

    Args:
        image: uint8 (h, w).
        boxes: top, left, bottom, right of each, in pixels of a picture that is ``full``
            (height, width).
        text: the alternative text.
    """
    coloured = Image.fromarray(image).convert("RGB")
    brush = ImageDraw.Draw(coloured)
    down, across = (side / whole for side, whole in zip(image.shape, full, strict=False))
    for top, left, bottom, right in boxes:
        brush.rectangle(
            (left * across - 2, top * down - 2, right * across + 1, bottom * down + 1),
            outline=FRAME,
            width=3,
        )
    return f'{_STYLE}<div class="sheet">{picture(np.asarray(coloured), text)}</div>'


def seen_picture(image: np.ndarray, text: str) -> str:
    """One 28x28 picture, large enough that its pixels show."""
    return f'{_STYLE}<div class="seen">{picture(image, text)}</div>'


def probability_bars(probabilities: np.ndarray) -> str:
    """A bar for each digit's probability, float (10,); the longest is highlighted."""
    best = int(probabilities.argmax())
    rows = []
    for digit, share in enumerate(probabilities.tolist()):
        mark = " best" if digit == best else ""
        rows.append(
            f'<div class="digit{mark}">{digit}</div>'
            f'<div class="track"><div class="bar{mark}" style="width:{share:.2%}"></div></div>'
            f'<div class="share{mark}">{percent(share, 1)}</div>'
        )
    return (
        f'{_STYLE}<div class="bars" role="img" aria-label="Probability of each digit; '
        f'{best} is likeliest at {percent(float(probabilities[best]))}">{"".join(rows)}</div>'
    )


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    long: Collection[int] = (),
    *,
    name: str = "Table",
    most_pixels: int | None = None,
) -> str:
    """A table that scrolls where it is wider than the page, with a shadow on the side where there
    is more.

    Args:
        rows: the first cell of each names the row; the others are numbers.
        long: positions of columns that hold text, which may wrap.
        name: what it is, for anyone who cannot see it.
        most_pixels: its greatest height; if it is higher, it scrolls below its header.
    """

    def cell(text: str, place: int, tag: str, scope: str) -> str:
        names = ["text"] * (place == 0 or place in long) + ["long"] * (place in long)
        attributes = f' scope="{scope}"' * bool(scope)
        attributes += f' class="{" ".join(names)}"' * bool(names)
        return f"<{tag}{attributes}>{html.escape(text)}</{tag}>"

    head = "".join(cell(text, place, "th", "col") for place, text in enumerate(header))
    body = "".join(
        f"<tr>{cell(first, 0, 'th', 'row')}"
        + "".join(cell(text, place, "td", "") for place, text in enumerate(rest, 1))
        + "</tr>"
        for first, *rest in rows
    )
    # Focusable, so that it can be scrolled with the keyboard.
    height = f' style="max-height:{most_pixels}px"' if most_pixels else ""
    return (
        f'{_STYLE}<div class="scroll" tabindex="0" role="region" '
        f'aria-label="{html.escape(name)}"{height}>'
        f'<table class="scores"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def feature_maps(maps: np.ndarray, name: str, text: str) -> str:
    """A convolution's activations for one picture, float (h, w, n), at least 0: its maps in rows
    of eight, as one picture with ``name`` under it and ``text`` as its alternative text."""
    return _sheet(maps, MAP_SIDE, MAPS_A_ROW, name, text)


def units(values: np.ndarray, name: str, text: str) -> str:
    """A dense layer's activations, float (n,), like ``feature_maps``: a cell for each unit, in
    rows of sixteen."""
    return _sheet(values[np.newaxis, np.newaxis], UNIT_SIDE, UNITS_A_ROW, name, text)


def _sheet(maps: np.ndarray, side: int, a_row: int, name: str, text: str) -> str:
    """All maps (h, w, n) of a layer as one picture.

    Gaps are transparent, and html.css makes them blue: grey would look like another activation,
    and black or white like the page.

    White is the layer's maximum; if it were each map's own, faint noise would look like a strong
    activation. Brightness is the square root of the activation, because most maps reach less than
    half of that maximum and would look black.
    """
    height, width, count = maps.shape
    columns = min(a_row, count)
    brightness = np.sqrt(np.maximum(maps, 0) / max(float(maps.max()), 1e-9))
    grey = np.rint(255 * brightness).astype(np.uint8)
    times = max(1, round(side / width))
    grey = grey.repeat(times, axis=0).repeat(times, axis=1)
    down, across = height * times + GAP, width * times + GAP
    sheet = np.zeros((-(-count // columns) * down - GAP, columns * across - GAP, 2), np.uint8)
    for number in range(count):
        top, left = number // columns * down, number % columns * across
        cell = sheet[top : top + down - GAP, left : left + across - GAP]
        cell[..., 0], cell[..., 1] = grey[..., number], 255
    return (
        f'{_STYLE}<figure class="layer" style="max-width:{ROW_REM * columns / a_row:g}rem">'
        f"{picture(sheet, text)}<figcaption>{html.escape(name)}</figcaption></figure>"
    )


def heat(image: np.ndarray, weights: np.ndarray, text: str) -> str:
    """A digit, its pixels coloured by how they speak for an answer or against it.

    Args:
        image: uint8 (28, 28).
        weights: float (28, 28), -1 to 1, as ``explanation.occlusion`` returns them.
        text: the alternative text.
    """
    strongest = float(np.abs(weights).max())
    full = max(strongest, LEAST_FULL_COLOUR)
    opacity = OPACITY * np.abs(weights)[..., np.newaxis] / full
    colour = np.where(weights[..., np.newaxis] > 0, FOR, AGAINST)
    mixed = (1 - opacity) * image[..., np.newaxis] + opacity * colour
    if strongest < LEAST_WEIGHT:
        legend = "No place decides alone: whichever is covered, the answer stays."
    else:
        legend = (
            '<span class="for">Orange speaks for it,</span> '
            '<span class="against">blue against it.</span> '
            f"Full colour: covering it moves the probability by {100 * full:.0f} points of 100."
        )
    return (
        f'{_STYLE}<figure class="heat">{picture(np.rint(mixed).astype(np.uint8), text)}'
        f"<figcaption>{legend}</figcaption></figure>"
    )
