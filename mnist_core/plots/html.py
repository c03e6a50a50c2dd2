"""Plain arrays -> HTML: digits as small pictures, bars, tables.

A page of HTML paints ten times as fast as a figure for each digit, needs no script, and
carries alternative text. Whatever text is passed in is escaped here.
"""

import base64
import html
import io
from collections.abc import Collection, Sequence

import numpy as np
from PIL import Image, ImageDraw

from mnist_core.analysis.metrics import percent

# Colours follow the page's own text colour, so that light and dark both work.
_STYLE = """<style>
.digits { display: grid; gap: .6rem;
  grid-template-columns: repeat(auto-fit, minmax(4.2rem, 1fr)); }
.digits figure, .seen { margin: 0; text-align: center; max-width: 8rem; }
.digits img, .seen img { width: 100%; image-rendering: pixelated; border-radius: .35rem;
  display: block; background: #000; }
.digits figcaption { font-size: 1rem; line-height: 1.4; padding-top: .15rem; }
.strip { display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); }
.strip figure { margin: 0; }
.strip img { height: 7rem; max-width: 100%; object-fit: contain; image-rendering: pixelated;
  border-radius: .35rem; }
.strip figcaption { font-size: 1rem; line-height: 1.35; padding-top: .2rem; }
.seen { max-width: 12rem; }
.sheet img { max-width: 100%; max-height: 14rem; border-radius: .35rem; display: block; }
.bars { display: grid; grid-template-columns: 1.2rem 1fr 4.2rem; gap: .3rem .6rem;
  align-items: center; font-size: 1.05rem; font-variant-numeric: tabular-nums; }
.bars .track { height: 1.15rem; border-radius: .3rem;
  background: color-mix(in srgb, currentColor 10%, transparent); }
.bars .bar { height: 100%; border-radius: .3rem; min-width: 2px; background: #0072B2; }
.bars .best { font-weight: 700; } .bars .best .bar, .bars .bar.best { background: #D55E00; }
.bars .share { text-align: right; }
.scores { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.scores th, .scores td { padding: .35rem .7rem; text-align: right;
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
.scores th, .scores td { white-space: nowrap; }
.scores .text { text-align: left; }
.scores .long { white-space: normal; min-width: 9rem; }
.scores .long:last-child { min-width: 15rem; }
.scores tbody th { font-weight: inherit; }
.scroll { overflow-x: auto; }
.layer, .heat { margin: 0 0 .8rem; }
.layer img, .heat img { width: 100%; image-rendering: pixelated; border-radius: .35rem;
  display: block; }
.layer img { box-sizing: border-box; padding: 2px; background: #2A6299; }
.heat img { max-width: 16rem; background: #000; }
.layer figcaption, .heat figcaption { font-size: 1rem; line-height: 1.4; padding-top: .15rem; }
.heat .for::before, .heat .against::before { content: ""; display: inline-block;
  width: .8em; height: .8em; margin-right: .3em; border-radius: .15em; border: 1px solid;
  background: #E69F00; }
.heat .against::before { background: #56B4E9; }
</style>"""
# Vermilion of Okabe and Ito: seen on white paper and on a blackboard.
FRAME = "#D55E00"

MAPS_A_ROW, UNITS_A_ROW = 8, 16
# Pixels of the sheet: maps of all sizes are made about as wide, so that gaps look alike.
MAP_SIDE, UNIT_SIDE, GAP = 28, 14, 2
# A full row on a wide page. Rows shrink with the page, as on a phone.
ROW_REM = 30
# Of the probability; a smaller fall is not shown in full colour.
LEAST_FULL_COLOUR = 0.1
# Below this no place is worth pointing at.
LEAST_WEIGHT = 0.005
# Orange and light blue of Okabe and Ito: equally bright on a digit's black, so that neither
# side looks stronger, and told apart by all kinds of colour vision.
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
    """Many digits in rows that fit the width of the page.

    Args:
        images: uint8 (n, 28, 28).
        captions: what is written under each.
        texts: the alternative text of each.
    """
    return _figures("digits", list(images), captions, texts)


def strip(pictures: Sequence[np.ndarray], captions: Sequence[str], texts: Sequence[str]) -> str:
    """Pictures of any size side by side, as a story is told; a row that is full is continued.

    Args:
        pictures: uint8 (h, w) each.
        captions: what is written under each.
        texts: the alternative text of each.
    """
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
    """Ten bars, one for each digit; the longest stands out in colour and in weight.

    Args:
        probabilities: float (10,), summing to 1.
    """
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


def table(header: Sequence[str], rows: Sequence[Sequence[str]], long: Collection[int] = ()) -> str:
    """A table that scrolls sideways where it is wider than the page.

    Args:
        rows: the first cell of each names the row; the others are numbers.
        long: places of columns that hold text, which is broken into lines.
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
    # In reach of the keyboard, for it may have to be scrolled.
    return (
        f'{_STYLE}<div class="scroll" tabindex="0" role="region" aria-label="Table">'
        f'<table class="scores"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def feature_maps(maps: np.ndarray, name: str, text: str) -> str:
    """What one convolution gives for one picture: its maps in rows of eight, as one picture.

    Args:
        maps: float (h, w, n), 0 or more, as after a ReLU.
        name: what is written under them.
        text: the alternative text for all of them.
    """
    return _sheet(maps, MAP_SIDE, MAPS_A_ROW, name, text)


def units(values: np.ndarray, name: str, text: str) -> str:
    """What one dense layer gives for one picture: a cell for each unit, in rows of sixteen.

    Args:
        values: float (n,), 0 or more, as after a ReLU.
        name: what is written under them.
        text: the alternative text for all of them.
    """
    return _sheet(values[np.newaxis, np.newaxis], UNIT_SIDE, UNITS_A_ROW, name, text)


def _sheet(maps: np.ndarray, side: int, a_row: int, name: str, text: str) -> str:
    """All maps (h, w, n) of a layer as one picture.

    Between them it is transparent, and _STYLE puts blue there: any grey would look like one
    more activation, and black or white like the page.

    White is the layer's maximum, not each map's own: then the faintest noise would look like
    the strongest answer. Brightness is the square root of the activation, because most maps
    reach less than half of that maximum and would be black to the eye.
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
    """A digit, and over it in colour which of its pixels speak for an answer or against it.

    Args:
        image: uint8 (28, 28).
        weights: float (28, 28), -1 to 1, as ``explanation.occlusion`` gives them.
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
