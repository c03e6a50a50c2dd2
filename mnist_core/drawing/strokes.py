"""The strokes of each digit, drawn at random as people write them."""

import numpy as np

# Strokes as (points, whether the line is smooth); x to the right and y down, about 0 to 1.
Plan = list[tuple[list[tuple[float, float]], bool]]


def _arc(
    centre: tuple[float, float], radii: tuple[float, float], first: float, last: float
) -> list[tuple[float, float]]:
    """Ten points of an ellipse between two angles, in degrees clockwise from the right."""
    angles = np.radians(np.linspace(first, last, 10))
    return [
        (centre[0] + radii[0] * float(np.cos(a)), centre[1] + radii[1] * float(np.sin(a)))
        for a in angles
    ]


def _zero(random: np.random.Generator) -> Plan:
    first = random.uniform(-130, -50)
    radii = (random.uniform(0.25, 0.42), 0.5)
    plan: Plan = [(_arc((0.5, 0.5), radii, first, first - random.uniform(340, 400)), True)]
    if random.random() < 0.12:
        plan.append(([(0.75, 0.1), (0.25, 0.9)], False))
    return plan


def _one(random: np.random.Generator) -> Plan:
    foot = 0.5 - random.normal(0.08, 0.14)
    plan: Plan = [([(0.5, 0), ((0.5 + foot) / 2 + random.normal(0, 0.03), 0.5), (foot, 1)], False)]
    if random.random() < 0.9:
        # A flag, short or nearly as long as the stem. A long one is steep, or it would be the bar
        # of a 7.
        long = random.random() < 0.5
        length = random.uniform(0.35, 0.9) if long else random.uniform(0.1, 0.4)
        angle = np.radians(random.uniform(35, 70) if long else random.uniform(10, 75))
        x, y = 0.5 - length * float(np.cos(angle)), length * float(np.sin(angle))
        bend = random.normal(0, 0.03, 2)
        plan.append(([(0.5, 0), ((0.5 + x) / 2 + bend[0], y / 2 + bend[1]), (x, y)], True))
    if random.random() < 0.35:
        left, right = random.uniform(0.08, 0.38, 2)
        tilt = random.normal(0, 0.03)
        plan.append(([(foot - left, 1 - tilt), (foot + right, 1 + tilt)], False))
    return plan


def _two(random: np.random.Generator) -> Plan:
    top = [(0.18, random.uniform(0.15, 0.32)), (0.3, 0.05), (0.55, 0), (0.78, 0.1)]
    side = [(0.8, random.uniform(0.25, 0.37)), (0.65, 0.5)]
    if random.random() < 0.35:
        loop = [(0.45, 0.75), (0.2, 0.97), (0.12, 0.85), (0.3, 0.8), (0.5, 0.92)]
        return [([*top, *side, *loop, (0.7, 1), (0.9, 0.92)], True)]
    foot = [(0.15, 1), (random.uniform(0.7, 1), 1 + random.normal(0, 0.04))]
    return [([*top, *side, (0.4, 0.75), (0.15, 1)], True), (foot, False)]


def _three(random: np.random.Generator) -> Plan:
    middle = (random.uniform(0.4, 0.55), random.uniform(0.42, 0.5))
    if random.random() < 0.25:
        top: Plan = [([(0.2, 0), (0.75, 0), middle], False)]
    else:
        start = (0.18, random.uniform(0.08, 0.2))
        top = [([start, (0.35, 0.02), (0.55, 0), (0.75, 0.12), (0.72, 0.3), middle], True)]
    end = (0.2, random.uniform(0.85, 1))
    belly = [middle, (0.7, 0.52), (0.82, 0.72), (0.7, 0.93), (0.45, 1), end]
    return [*top, (belly, True)]


def _four(random: np.random.Generator) -> Plan:
    way = random.random()
    bar, stem = random.uniform(0.5, 0.75), random.uniform(0.55, 0.75)
    if way < 0.2:
        # Closed, from the top.
        corner = [(stem, 0), (0.1, bar), (random.uniform(0.85, 1), bar + random.normal(0, 0.03))]
        return [(corner, False), ([(stem, random.uniform(-0.1, 0.1)), (stem, 1)], False)]
    if way < 0.8:
        # Open: an L crossed by a stroke that may be short.
        left = random.uniform(0.15, 0.5)
        angle = [
            (left, 0),
            (left - random.uniform(0.02, 0.15), bar * 0.5),
            (random.uniform(0, 0.15), bar),
            (stem - 0.1, bar + random.normal(0, 0.03)),
            (stem + random.uniform(0.05, 0.35), bar + random.normal(0, 0.05)),
        ]
        top = bar - random.uniform(0.05, 0.65)
        stroke = [
            (stem + random.normal(0.04, 0.05), top),
            (stem, (top + 1) / 2),
            (stem + random.normal(-0.03, 0.06), bar + random.uniform(0.2, 0.6)),
        ]
        return [(angle, random.random() < 0.5), (stroke, False)]
    # In one stroke.
    left, top = random.uniform(0.2, 0.45), bar * random.uniform(0.1, 0.8)
    bowl = [(left, 0), (left * 0.6, bar * 0.5), (0.08, bar * 0.95), (0.25, bar)]
    rise = [(stem - 0.08, bar * 0.9), (stem + 0.03, (top + bar) / 2), (stem + 0.04, top)]
    down = [(stem + 0.04, top), (stem - random.uniform(-0.05, 0.15), 1.05)]
    return [([*bowl, *rise], True), (down, False)]


def _five(random: np.random.Generator) -> Plan:
    left, width = random.uniform(0.2, 0.4), random.uniform(0.45, 0.7)
    if random.random() < 0.3:
        # Like an S.
        top = [(random.uniform(0.7, 0.9), 0), (0.4, 0.05), (0.25, 0.25), (0.35, 0.42)]
        end = (0.15, random.uniform(0.9, 1))
        return [([*top, (0.7, 0.5), (0.8, 0.72), (0.6, 0.95), end], True)]
    neck = (left - random.uniform(0, 0.1), random.uniform(0.38, 0.5))
    end = (0.12, random.uniform(0.85, 0.98))
    belly = [neck, (left + 0.2, 0.38), (0.78, 0.5), (0.82, 0.7), (0.65, 0.93), (0.4, 1), end]
    height = random.normal(0, 0.04)
    # The bar may not touch the neck.
    hat = [
        (left + random.uniform(-0.05, 0.06), height),
        (left + width, height + random.normal(-0.03, 0.05)),
    ]
    stem = [(left, random.uniform(0, 0.05)), neck]
    return [(stem, False), (belly, True), (hat, False)]


def _six(random: np.random.Generator) -> Plan:
    x = random.uniform(0.5, 0.85)
    down = [(x, 0), (x - 0.25, 0.15), (0.22, 0.45), (0.15, 0.72), (0.28, 0.95), (0.5, 1)]
    loop = [(0.75, 0.9), (0.8, 0.7), (0.65, 0.53), (0.4, 0.55), (0.22, random.uniform(0.65, 0.8))]
    return [([*down, *loop], True)]


def _seven(random: np.random.Generator) -> Plan:
    height, foot = random.normal(0, 0.04), random.uniform(0.2, 0.55)
    plan: Plan = []
    if random.random() < 0.35:
        plan.append(([(0.12, height + random.uniform(0.08, 0.25)), (0.12, height)], False))
    if random.random() < 0.5:
        plan.append(([(0.12, height), (random.uniform(0.7, 0.95), 0), (foot, 1)], False))
    else:
        # A top that droops on the left, more or less.
        hat = [(0.12, height + random.uniform(0.02, 0.2)), (0.3, 0), (0.6, 0.02), (0.8, 0)]
        plan.append(([*hat, (0.78, 0.18), (0.6, 0.5), (foot, 1)], True))
    if random.random() < 0.6:
        bar = random.uniform(0.42, 0.82)
        middle = 0.75 + (foot - 0.75) * bar
        left, right = random.uniform(0.12, 0.45, 2)
        tilt = random.normal(-0.02, 0.06)
        plan.append(([(middle - left, bar - tilt), (middle + right, bar + tilt)], False))
    return plan


def _eight(random: np.random.Generator) -> Plan:
    upper, lower = random.uniform(0.2, 0.32), random.uniform(0.26, 0.42)
    if random.random() < 0.25:
        # Two rings.
        return [
            (_arc((0.5, 0.24), (upper, 0.24), 90, 460), True),
            (_arc((0.5, 0.73), (lower, 0.27), -90, 280), True),
        ]
    start, end = (0.5 + upper, 0.15), (0.5 + upper, 0.15 + random.normal(0, 0.04))
    if random.random() < 0.3:
        # Open at the top.
        start, end = (0.5 + upper * 1.2, 0.08), (0.5 + upper * 1.2, 0.05)
    down = [(0.5, 0), (0.5 - upper, 0.15), (0.5 - upper * 0.7, 0.35), (0.5, 0.47)]
    right = [(0.5 + lower * 0.9, 0.65), (0.5 + lower * 0.8, 0.9), (0.5, 1)]
    left = [(0.5 - lower * 0.8, 0.9), (0.5 - lower * 0.9, 0.65), (0.5, 0.47)]
    return [([start, *down, *right, *left, (0.5 + upper * 0.8, 0.33), end], True)]


def _nine(random: np.random.Generator) -> Plan:
    width, height = random.uniform(0.16, 0.36), random.uniform(0.12, 0.3)
    middle = random.uniform(0.4, 0.55)
    right = middle + width
    # Some loops stay open.
    last = random.uniform(-345, -250) if random.random() < 0.3 else random.uniform(-385, -345)
    loop = _arc((middle, height), (width, height), random.uniform(-80, 10), last)
    if random.random() < 0.2:
        loop[0] = (middle + width * random.uniform(0.6, 1.6), random.uniform(-0.05, 0.1))
    if random.random() < 0.25:
        stem = [(right, random.uniform(0, 0.2)), (right - random.uniform(-0.05, 0.25), 1)]
        return [(loop, True), (stem, False)]
    if random.random() < 2 / 3:
        # A tail with a hook.
        hook, belly = random.uniform(0.35, 0.85), random.uniform(-0.03, 0.25)
        tail = [
            (right + belly, 0.5),
            (right - 0.05 + belly / 2, 0.82),
            (right - hook / 2, 1),
            (right - hook, random.uniform(0.8, 1)),
        ]
    else:
        tail = [
            (right - 0.03, 0.45),
            (right - 0.15, 0.75),
            (right - random.uniform(0.2, 0.65), 1),
        ]
    back = [(right, height * 0.6)] if loop[-1][1] > height * 1.2 else []
    return [([*loop, *back, *tail], True)]


def _scribble(random: np.random.Generator) -> Plan:
    way = random.random()
    if way < 0.6:
        return [(random.random((random.integers(4, 14), 2)).tolist(), True)]
    if way < 0.85:
        return [
            (random.random((random.integers(2, 5), 2)).tolist(), random.random() < 0.5)
            for _ in range(random.integers(2, 5))
        ]
    # Back and forth, as if crossing something out.
    count = int(random.integers(8, 24))
    heights = np.arange(count) % 2 * random.uniform(0.2, 1) + random.normal(0, 0.05, count)
    return [(np.stack([np.linspace(0, 1, count), heights], axis=1).tolist(), False)]


# By label; 10 is a scribble.
WAYS = (_zero, _one, _two, _three, _four, _five, _six, _seven, _eight, _nine, _scribble)
