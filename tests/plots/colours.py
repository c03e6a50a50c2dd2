"""How far colours differ, to eyes of all kinds, and how much they stand out from each other."""

import re

import numpy as np

WHITE, BLACKBOARD = "#FFFFFF", "#0E1420"
# What is left of red, green and blue light (linear, 0 to 1) for eyes that lack one kind of
# cone: Machado, Oliveira and Fernandes 2009, IEEE Transactions on Visualization and Computer
# Graphics 15, 1291-1298, severity 1.
COLOUR_VISION = {
    "all three": np.eye(3),
    "no long waves": np.array(
        [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]
    ),
    "no middle waves": np.array(
        [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]
    ),
    "no short waves": np.array(
        [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]
    ),
}
XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])


def luminance(colour: str) -> float:
    """As WCAG 2 defines it, 0 to 1."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def as_hex(colour: str) -> str:
    """Plotly's "rgb(1, 2, 3)" as "#010203"."""
    return "#" + "".join(f"{round(float(part)):02x}" for part in re.findall(r"[\d.]+", colour))


def difference(one: str, other: str, vision: np.ndarray) -> float:
    """How different two colours look, as CIE 1976 defines it: 2 can just be told apart."""
    lab = []
    for colour in (one, other):
        shares = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
        linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        seen = XYZ @ np.clip(vision @ linear, 0, 1) / XYZ.sum(axis=1)
        x, y, z = np.where(seen > 0.008856, np.cbrt(seen), 7.787 * seen + 16 / 116)
        lab.append([116 * y - 16, 500 * (x - y), 200 * (y - z)])
    return float(np.linalg.norm(np.subtract(*lab)))
