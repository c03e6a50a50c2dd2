"""What one takes home of an evaluation: tables for a spreadsheet, a picture, and one page.

``counts`` is a confusion matrix, int (10, 10).
"""

import csv
import html
import io
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mnist_core.analysis import confidence, metrics
from mnist_core.analysis.predictions import Predictions
from mnist_core.data import CLASSES
from mnist_core.plots.html import digit_grid, picture, png, table
from mnist_core.plots.style import counted

# Pixels of the matrix's picture: a cell's side, and the room for its titles.
CELL, LEFT, TOP, BOTTOM, RIGHT = 84, 120, 84, 120, 24
MATRIX_SIZE = (LEFT + CLASSES * CELL + RIGHT, TOP + CLASSES * CELL + BOTTOM)
NUMBER_SIZE, TITLE_SIZE = 30, 36
# From no image to most; white on paper costs no ink.
EMPTY, FULL, INK = (247, 251, 255), (0, 82, 148), (22, 32, 43)
# From here on white stands out more than ink.
DARK_FROM = 0.7

# Two rows of pictures.
MOST_MISTAKES = 20

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
@page {{ size: A4; margin: 11mm 13mm; }}
body {{ font: 11px/1.3 system-ui, sans-serif; color: #16202B; background: #FFF;
  max-width: 184mm; margin: 0 auto; print-color-adjust: exact; }}
h1 {{ font-size: 20px; margin: 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 13px; margin: 3mm 0 1mm; }}
p {{ margin: 1mm 0; }}
.headline {{ font-size: 14px; }}
.beside {{ display: grid; grid-template-columns: 88mm 1fr; gap: 6mm; align-items: start; }}
.beside > div > img {{ width: 100%; display: block; }}
body .scores {{ font-size: 11px; }}
body .scores th, body .scores td {{ padding: .45mm 1.5mm; }}
body .digits {{ grid-template-columns: repeat(10, 1fr); gap: 1mm; }}
body .digits figcaption {{ font-size: 10px; line-height: 1.15; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def predictions_csv(predictions: Predictions) -> str:
    """One line an image: its place in the test set from 0 on, the true and the predicted
    digit, the confidence, and the probability of each digit, to six decimals."""
    header = ["image", "true", "predicted", "confidence", *(f"p{d}" for d in range(CLASSES))]
    columns = (
        predictions.labels.tolist(),
        predictions.answers.tolist(),
        predictions.confidences.tolist(),
        predictions.probabilities.tolist(),
    )
    return _csv(
        header,
        (
            [place, label, answer, *(f"{share:.6f}" for share in (best, *shares))]
            for place, (label, answer, best, shares) in enumerate(zip(*columns, strict=True))
        ),
    )


def matrix_csv(counts: np.ndarray) -> str:
    """One line a true digit, one column a predicted one."""
    header = ["true", *(f"predicted {digit}" for digit in range(CLASSES))]
    return _csv(header, ([digit, *row] for digit, row in enumerate(counts.tolist())))


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def matrix_png(counts: np.ndarray, title: str) -> bytes:
    """The confusion matrix as a PNG file of ``MATRIX_SIZE`` pixels, light, to be printed.

    Args:
        title: one line above it; shrinks until it fits. Letters that Pillow's own font
            lacks, as those of other alphabets, are boxes.
    """
    return png(_matrix_picture(counts, title))


def _matrix_picture(counts: np.ndarray, title: str) -> np.ndarray:
    """uint8 (h, w, 3)."""
    sheet = Image.new("RGB", MATRIX_SIZE, "white")
    brush = ImageDraw.Draw(sheet)
    numbers = ImageFont.load_default(NUMBER_SIZE)
    # Right answers outnumber any mistake a hundred times: on a plain scale mistakes vanish.
    shades = np.log1p(counts) / (float(np.log1p(counts.max())) or 1.0)
    for (true, predicted), count in np.ndenumerate(counts):
        left, top = LEFT + predicted * CELL, TOP + true * CELL
        shade = float(shades[true, predicted])
        colour = tuple(
            round(pale + shade * (deep - pale)) for pale, deep in zip(EMPTY, FULL, strict=True)
        )
        brush.rectangle((left, top, left + CELL - 3, top + CELL - 3), fill=colour)
        text, middle = f"{count:,}" if count else "", (left + CELL / 2 - 1, top + CELL / 2 - 1)
        on_it = "white" if shade >= DARK_FROM else INK
        brush.text(middle, text, on_it, numbers, anchor="mm")
    half = CELL * CLASSES / 2
    for digit in range(CLASSES):
        along = digit * CELL + CELL / 2
        brush.text((LEFT - 24, TOP + along), str(digit), INK, numbers, anchor="mm")
        bottom = TOP + CLASSES * CELL + 24
        brush.text((LEFT + along, bottom), str(digit), INK, numbers, anchor="mm")
    below = (LEFT + half, MATRIX_SIZE[1] - 36)
    brush.text(below, "Predicted digit", INK, numbers, anchor="mm")
    # Pillow writes from left to right only: written on a strip, which is then turned.
    strip = Image.new("RGB", (CLASSES * CELL, 48), "white")
    ImageDraw.Draw(strip).text((half, 24), "True digit", INK, numbers, anchor="mm")
    sheet.paste(strip.rotate(90, expand=True), (12, TOP))
    width = brush.textlength(title, ImageFont.load_default(TITLE_SIZE))
    fitting = TITLE_SIZE * min(1.0, (MATRIX_SIZE[0] - 48) / max(width, 1))
    font = ImageFont.load_default(fitting)
    brush.text((MATRIX_SIZE[0] / 2, TOP / 2), title, INK, font, anchor="mm")
    return np.asarray(sheet)


def html_report(
    name: str,
    dataset: str,
    date: str,
    predictions: Predictions,
    images: np.ndarray | None = None,
) -> str:
    """One page of HTML that needs nothing else: no scripts, no files; on paper one A4 page.

    Args:
        name: the run's, as its owner gave it; it is escaped, like all text here.
        dataset: a sentence on what it was trained on and tested with.
        date: of the report or of the run, as it shall stand there.
        predictions: of the test images.
        images: uint8 (n, 28, 28), the same images; None if they are not at hand, and then
            the report says so.
    """
    counts = predictions.matrix
    total, right = int(counts.sum()), int(counts.trace())
    low, high = metrics.wilson_interval(right, total)
    fewest, most = metrics.prediction_interval(total - right, total)
    summary = f"Confusion matrix. {right:,} of {total:,} test images classified correctly."
    if worst := metrics.worst_confusion(counts):
        true, predicted, times = worst
        summary += f" Most common mistake: {true} read as {predicted} ({counted(times, 'time')})."
    body = [
        f"<h1>{html.escape(name)}</h1>",
        f"<p>{html.escape(dataset)} · {html.escape(date)}</p>",
        f'<p class="headline"><strong>Test accuracy {metrics.accuracy(counts):.2%}</strong>, '
        f"95% confidence interval {low:.2%} to {high:.2%}: {total - right:,} of {total:,} "
        f"misclassified. Of {total:,} other such images, between {fewest:,} and {most:,} would be "
        "(95% prediction interval).</p>",
        '<div class="beside"><div><h2>Which digit is taken for which</h2>',
        picture(_matrix_picture(counts, f"{right:,} of {total:,} classified correctly"), summary),
        "</div><div><h2>Digit by digit</h2>",
        _digit_table(counts),
        "</div></div>",
        "<h2>The mistakes it is surest of: true digit as its answer, how sure</h2>",
        _mistakes(predictions, images),
        "<h2>What its confidence is worth</h2>",
        _confidence(predictions),
    ]
    return _PAGE.format(title=html.escape(name), body="\n".join(body))


def _digit_table(counts: np.ndarray) -> str:
    return table(
        ["Digit", "Precision", "Recall", "F1", "Images", "Taken for"],
        [
            [
                str(row.digit),
                f"{row.precision:.2%}",
                f"{row.recall:.2%}",
                f"{row.f1:.2%}",
                f"{row.images:,}",
                metrics.commonest_mistake(counts, row.digit),
            ]
            for row in metrics.digit_rows(counts)
        ],
    )


def _mistakes(predictions: Predictions, images: np.ndarray | None) -> str:
    places = metrics.most_confident_mistakes(predictions)[:MOST_MISTAKES]
    if not len(places):
        return "<p>There are none.</p>"
    if images is None:
        return "<p>The pictures of these test images are not at hand.</p>"
    read = [
        (
            place,
            predictions.labels[place],
            predictions.answers[place],
            metrics.percent(predictions.confidences[place]),
        )
        for place in places.tolist()
    ]
    return digit_grid(
        images[places],
        [f"{label} as {answer}, {share}" for _, label, answer, share in read],
        [
            f"Test image {place}: a {label}, read as {answer} with probability {share}"
            for place, label, answer, share in read
        ],
    )


def _confidence(predictions: Predictions) -> str:
    error = metrics.expected_calibration_error(predictions)
    return (
        f"<p>Calibration error {error:.2%}: so far apart lie, on average, how sure it is and how "
        "often it is right (ECE, 15 bins).</p>"
    ) + table(
        ["Sure of its answer", "Images", "Mean", "Right", "95% confidence interval"],
        [
            [
                f"{each.lowest:.0%} to {each.highest:.0%}",
                f"{each.count:,}",
                f"{each.confidence:.1%}",
                f"{each.accuracy:.1%}",
                f"{each.low:.1%} to {each.high:.1%}",
            ]
            for each in confidence.reliability(predictions)
        ],
    )
