"""Downloads of an evaluation: tables for a spreadsheet, a picture, and a page.

``counts`` is a confusion matrix, int (10, 10).
"""

import csv
import html
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mnist_core.analysis import confidence, metrics
from mnist_core.analysis.predictions import Predictions
from mnist_core.data import CLASSES
from mnist_core.plots.html import digit_grid, picture, png, table
from mnist_core.plots.style import counted

# Pixels of the matrix's picture: a cell's side, and the margins.
CELL, LEFT, TOP, BOTTOM, RIGHT = 84, 120, 84, 120, 24
MATRIX_SIZE = (LEFT + CLASSES * CELL + RIGHT, TOP + CLASSES * CELL + BOTTOM)
NUMBER_SIZE, TITLE_SIZE = 30, 36
# From no image to most, and text.
EMPTY, FULL, INK = (247, 251, 255), (0, 82, 148), (22, 32, 43)
# White text stands out more from this shade on.
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
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def predictions_csv(predictions: Predictions) -> str:
    """A line for each image: its position in the test set from 0, the true and the predicted
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
    """A row for each true digit, a column for each predicted one."""
    header = ["true", *(f"predicted {digit}" for digit in range(CLASSES))]
    return _csv(header, ([digit, *row] for digit, row in enumerate(counts.tolist())))


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def matrix_png(counts: np.ndarray, title: str) -> bytes:
    """The confusion matrix as a PNG file of ``MATRIX_SIZE`` pixels, for print.

    Args:
        title: one line above it, shrunk to fit; letters that Pillow's own font lacks are boxes.
    """
    return png(_matrix_picture(counts, title))


def _matrix_picture(counts: np.ndarray, title: str) -> np.ndarray:
    """uint8 (h, w, 3)."""
    sheet = Image.new("RGB", MATRIX_SIZE, "white")
    brush = ImageDraw.Draw(sheet)
    numbers = ImageFont.load_default(NUMBER_SIZE)
    # Correct answers outnumber mistakes a hundred to one, so a linear scale would hide mistakes.
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
    # Pillow cannot write vertically, so a strip of text is rotated.
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
    """A self-contained HTML page, without scripts and files; one A4 page in print.

    Args:
        name: the run's; escaped, like all text here.
        dataset: a sentence about the images it was trained on and tested with.
        date: of the report or of the run, as written in the report.
        predictions: of the test images.
        images: uint8 (n, 28, 28), the same images; None if they are not available, which the
            report then says.
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
        '<div class="beside"><div><h2>Confusion matrix</h2>',
        picture(_matrix_picture(counts, f"{right:,} of {total:,} classified correctly"), summary),
        "</div><div><h2>Digit by digit</h2>",
        _digit_table(counts),
        "</div></div>",
        "<h2>Most confident mistakes: true digit as predicted, confidence</h2>",
        _mistakes(predictions, images),
        "<h2>Does its confidence match its accuracy?</h2>",
        _confidence(predictions),
    ]
    style = Path(__file__).with_suffix(".css").read_text()
    return _PAGE.format(title=html.escape(name), style=style, body="\n".join(body))


def _digit_table(counts: np.ndarray) -> str:
    return table(
        ["Digit", "Precision", "Recall", "F1", "Images", "Most often confused with"],
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
        return "<p>The pictures of these test images are not available.</p>"
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
        f"<p>Calibration error {error:.2%}: the average gap between its confidence and its "
        "accuracy (ECE, 15 bins).</p>"
    ) + table(
        ["Confidence", "Images", "Mean", "Accuracy", "95% confidence interval"],
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
