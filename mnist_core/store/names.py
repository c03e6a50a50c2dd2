"""How runs are identified to people: by name, preset and time of day, such as
"Ada · classic · 14:05"."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo

from mnist_core.errors import NotAllowed
from mnist_core.store.run import Run
from mnist_core.sweeps import summary, varied

# Characters that a name may have besides letters, digits and spaces: none means anything where
# text is laid out. Not even a full stop, which makes a link of www.example.org.
NAME_PUNCTUATION = "-,+()'"
NAME_LENGTH = 40
# Vowel signs and accents are characters of their own in many scripts; more than two on a letter
# would pile up.
MOST_MARKS = 2
# At the beginning of a line these make a list of it.
BULLET = re.compile(r"[^\w(']|\d+\)")


def clean_name(text: str) -> str:
    """A name as it is stored: composed, without superfluous spaces.

    Raises:
        NotAllowed: it is too long or has characters that no name has.
    """
    # An accent may come as a character of its own; composed, it is part of a letter.
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    marks = 0
    allowed = len(name) <= NAME_LENGTH and not BULLET.match(name)
    for character in name:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Mc") else 0
        is_allowed = (
            character.isalnum() or character in NAME_PUNCTUATION + " " or 0 < marks <= MOST_MARKS
        )
        allowed = allowed and is_allowed
    if not allowed:
        raise NotAllowed(
            f"A name has at most {NAME_LENGTH} letters, digits, spaces and {NAME_PUNCTUATION} in "
            "it, and a letter or digit first."
        )
    return name


def title(
    run: Run, zone: tzinfo | None = None, now: datetime | None = None, *, seconds: bool = False
) -> str:
    """Its name, if it has one, its preset, and when it was asked for; or "cnn · built-in".

    Args:
        zone: the reader's time zone; None for the server's.
        now: what "today" is; None for the present. Has a time zone.
        seconds: whether the time has them.
    """
    if run.shipped:
        return f"{run.id} · built-in"
    named = [run.name] if run.name else []
    time = _time_of_day(run.created_at, zone, now, ":%S" if seconds else "")
    return " · ".join([*named, run.config.preset, time])


def titles(runs: Iterable[Run], zone: tzinfo | None = None) -> dict[str, str]:
    """The titles of these runs by their ids, all different.

    Those that would have the same one also say in which settings they differ, or else the second
    at which they were asked for, or else their id.
    """
    listed = list(runs)
    alike: dict[str, list[Run]] = {}
    for run in listed:
        alike.setdefault(title(run, zone), []).append(run)

    def settings(run: Run) -> str:
        of_all = [other.config for other in alike[title(run, zone)]]
        differing = summary(run.config, varied(of_all))
        return f" · {differing}" if differing else ""

    return distinct(
        listed,
        lambda run: title(run, zone),
        lambda run: title(run, zone) + settings(run),
        lambda run: title(run, zone, seconds=True) + settings(run),
    )


def distinct(runs: list[Run], *ways: Callable[[Run], str]) -> dict[str, str]:
    """Texts by the ids of runs, each in the first of these ways in which it differs from the
    others, or in the last one with the id."""

    def with_id(run: Run) -> str:
        return f"{ways[-1](run)} · {run.id}"

    found = {run.id: ways[0](run) for run in runs}
    for way in (*ways[1:], with_id):
        count = Counter(found.values())
        found |= {run.id: way(run) for run in runs if count[found[run.id]] > 1}
    return found


def _time_of_day(created_at: float, zone: tzinfo | None, now: datetime | None, more: str) -> str:
    """Such as "14:05", or "27 Nov 14:05" if that is not today; ``more`` follows the minutes."""
    today = (now or datetime.now(zone)).astimezone(zone).date()
    then = datetime.fromtimestamp(created_at, zone)
    clock = then.strftime(f"%H:%M{more}")
    if then.date() == today:
        return clock
    year = f" {then.year}" if then.year != today.year else ""
    return f"{then.day} {then:%b}{year} {clock}"
