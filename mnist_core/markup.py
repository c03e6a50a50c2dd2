"""Plain arrays -> HTML: digits as small pictures, bars, tables.

A page of HTML paints ten times as fast as a figure for each digit, needs no script, and
carries alternative text. Whatever text is passed in is escaped here.
"""

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

# Colours follow the page's own text colour, so that light and dark both work.
_STYLE = """<style>
.digits { display: grid; gap: .6rem;
  grid-template-columns: repeat(auto-fit, minmax(4.2rem, 1fr)); }
.digits figure, .seen { margin: 0; text-align: center; max-width: 8rem; }
.digits img, .seen img { width: 100%; image-rendering: pixelated; border-radius: .35rem;
  display: block; background: #000; }
.digits figcaption { font-size: 1rem; line-height: 1.4; padding-top: .15rem; }
.seen { max-width: 12rem; }
.bars { display: grid; grid-template-columns: 1.2rem 1fr 4.2rem; gap: .3rem .6rem;
  align-items: center; font-size: 1.05rem; font-variant-numeric: tabular-nums; }
.bars .track { height: 1.15rem; border-radius: .3rem;
  background: color-mix(in srgb, currentColor 10%, transparent); }
.bars .bar { height: 100%; border-radius: .3rem; min-width: 2px; background: #56B4E9; }
.bars .best { font-weight: 700; } .bars .best .bar, .bars .bar.best { background: #E69F00; }
.bars .share { text-align: right; }
.scores { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.scores th, .scores td { padding: .35rem .7rem; text-align: right;
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
.scores th:first-child, .scores td:first-child { text-align: left; }
.scroll { overflow-x: auto; }
</style>"""


def png(image: np.ndarray) -> bytes:
    """A uint8 (h, w) picture as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def picture(image: np.ndarray, text: str) -> str:
    """An ``img`` element with the picture inside it and ``text`` for who cannot see it."""
    data = base64.b64encode(png(image)).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{html.escape(text)}">'


def digit_grid(images: np.ndarray, captions: Sequence[str], texts: Sequence[str]) -> str:
    """Many digits in rows that fit the width of the page.

    Args:
        images: uint8 (n, 28, 28).
        captions: what is written under each.
        texts: the alternative text of each.
    """
    figures = "".join(
        f"<figure>{picture(image, text)}<figcaption>{html.escape(caption)}</figcaption></figure>"
        for image, caption, text in zip(images, captions, texts, strict=True)
    )
    return f'{_STYLE}<div class="digits">{figures}</div>'


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
            f'<div class="share{mark}">{share:.1%}</div>'
        )
    return (
        f'{_STYLE}<div class="bars" role="img" aria-label="Probability of each digit; '
        f'{best} is likeliest at {probabilities[best]:.0%}">{"".join(rows)}</div>'
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text; the first column names the row."""
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'{_STYLE}<div class="scroll" tabindex="0"><table class="scores"><thead><tr>{head}</tr>'
        f"</thead><tbody>{body}</tbody></table></div>"
    )
