"""add_habits: MNIST's digits with the strokes that other schools teach.

MNIST was written in the United States. Elsewhere a 1 has a flag and may stand on a foot,
a 7 wears a bar and a 9 ends in a long tail; a network that saw only MNIST took one drawn
1 in six for a 7. No turning or bending draws a stroke that is not there, so some of these
digits get theirs here, once, before training.
"""

import numpy as np

from mnist_core.data import SIDE

FLAG_SHARE, FOOT_SHARE, BAR_SHARE, TAIL_SHARE = 0.35, 0.15, 0.2, 0.2
FLAG_SLANT = 0.6


def add_habits(images: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """A copy in which a share of the 1s, 7s and 9s have one more stroke.

    Args:
        images, labels: uint8 (n, 28, 28) and uint8 (n,).
        seed: the same seed chooses the same digits and strokes.
    """
    random = np.random.default_rng(seed)
    changed = images.copy()

    def some(digit: int, share: float) -> np.ndarray:
        return np.flatnonzero((labels == digit) & (random.random(len(labels)) < share))

    flagged = some(1, FLAG_SHARE)
    footed = flagged[random.random(len(flagged)) < FOOT_SHARE / FLAG_SHARE]
    for indices, height, middle, lengths, degrees in (
        # From the top of a 1 down to the left, as steeply as no bar of a 7 falls.
        (flagged, 0.0, False, (4.0, 13.0), (28.0, 62.0)),
        (footed, 1.0, True, (6.0, 12.0), (-8.0, 8.0)),
        (some(7, BAR_SHARE), 0.5, True, (6.0, 10.0), (-20.0, 20.0)),
        (some(9, TAIL_SHARE), 1.0, False, (5.0, 13.0), (-20.0, 20.0)),
    ):
        length = random.uniform(*lengths, len(indices))
        angle = np.radians(random.uniform(*degrees, len(indices)))
        if indices is flagged:
            # A slanted 1 has its flag slanted with it, or flag and 1 were one stroke.
            across, down = (_point_at(images[indices], 1.0) - _point_at(images[indices], 0.0)).T
            angle -= FLAG_SLANT * np.clip(np.arctan2(-across, down), 0.0, None)
        stroke = np.stack([-np.cos(angle), np.sin(angle)], 1) * length[:, None]
        start = _point_at(images[indices], height)
        if middle:
            start = start - stroke / 2
        changed[indices] = _draw(changed[indices], start, start + stroke, _width(images[indices]))
    return changed


def _point_at(digits: np.ndarray, height: float) -> np.ndarray:
    """float (n, 2) x and y of the ink at this height, 0 top to 1 bottom, of each digit."""
    rows = np.any(digits > 127, axis=2)
    top, bottom = rows.argmax(axis=1), SIDE - 1 - rows[:, ::-1].argmax(axis=1)
    # Half a pixel inside, where the stroke's own middle is.
    row = np.clip(np.round(top + height * (bottom - top)).astype(int), top + 1, bottom - 1)
    ink = digits[np.arange(len(digits)), row].astype(float) + 1e-6
    return np.stack([ink @ np.arange(SIDE) / ink.sum(axis=1), row], axis=1)


def _width(digits: np.ndarray) -> np.ndarray:
    """float (n,): pixels across each digit's strokes, from how much of its ink is edge."""
    ink = digits.astype(float) / 255
    edge = sum(np.abs(np.diff(ink, axis=axis)).sum(axis=(1, 2)) for axis in (1, 2))
    # A stroke of any slant has about 2.5 of edge for each pixel of its length.
    return np.asarray(np.clip(2.5 * ink.sum(axis=(1, 2)) / (edge + 1e-6), 1.2, 4.0))


def _draw(digits: np.ndarray, start: np.ndarray, end: np.ndarray, width: np.ndarray) -> np.ndarray:
    """The digits with one straight, round-capped stroke each; uint8 (n, 28, 28)."""
    down, across = np.mgrid[:SIDE, :SIDE]
    pixels = np.stack([across, down], axis=-1)
    run = (end - start)[:, None, None]
    offset = pixels - start[:, None, None]
    along = np.clip((offset * run).sum(-1) / (run * run).sum(-1), 0, 1)
    distance = np.linalg.norm(offset - along[..., None] * run, axis=-1)
    ink = np.clip(width[:, None, None] / 2 + 0.5 - distance, 0, 1)
    return np.asarray(np.maximum(digits, np.round(ink * 255).astype(np.uint8)))
