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
NAME_SIGNS = "-,+()'"
NAME_LENGTH = 40
# Vowel signs and accents are characters of their own in many scripts; more would be a tower.
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
    for sign in name:
        marks = marks + 1 if unicodedata.category(sign) in ("Mn", "Mc") else 0
        is_allowed = sign.isalnum() or sign in NAME_SIGNS + " " or 0 < marks <= MOST_MARKS
        allowed = allowed and is_allowed
    if not allowed:
        raise NotAllowed(
            f"A name has at most {NAME_LENGTH} letters, digits, spaces and {NAME_SIGNS} in it, "
            "and a letter or digit first."
        )
    return name


def title(run: Run, zone: tzinfo | None = None, now: datetime | None = None) -> str:
    """Its name, if it has one, its preset, and when it was asked for; or "cnn · built-in".

    Args:
        zone: the time zone of whoever reads it; None for the server's.
        now: what "today" is; None for the present. Has a time zone.
    """
    if run.shipped:
        return f"{run.id} · built-in"
    named = [run.name] if run.name else []
    return " · ".join([*named, run.config.preset, _time_of_day(run.created_at, zone, now)])


def titles(runs: Iterable[Run], zone: tzinfo | None = None) -> dict[str, str]:
    """The titles of these runs by their ids, all different.

    Those that would have the same one also say in which settings they differ, or else the second
    at which they were asked for, or else their id.
    """
    listed = list(runs)
    plain = {run.id: title(run, zone) for run in listed}
    alike: dict[str, list[Run]] = {}
    for run in listed:
        alike.setdefault(plain[run.id], []).append(run)

    def settings(run: Run) -> str:
        return summary(run.config, varied([other.config for other in alike[plain[run.id]]]))

    def second(run: Run) -> str:
        return f"{datetime.fromtimestamp(run.created_at, zone):%H:%M:%S}"

    return distinct(listed, plain, [settings, second])


def distinct(
    runs: list[Run], texts: dict[str, str], more: Iterable[Callable[[Run], str]] = ()
) -> dict[str, str]:
    """Texts by the ids of runs, made different by what ``more`` has to say of those that are
    equal, and at last by the id."""
    found = dict(texts)
    for describe_more in (*more, _id):
        count = Counter(found.values())
        for run in runs:
            if count[found[run.id]] > 1 and (text := describe_more(run)):
                found[run.id] += f" · {text}"
    return found


def _id(run: Run) -> str:
    return run.id


def _time_of_day(seconds: float, zone: tzinfo | None, now: datetime | None) -> str:
    """Such as "14:05", or "27 Nov 14:05" if that is not today."""
    today = (now or datetime.now(zone)).astimezone(zone).date()
    then = datetime.fromtimestamp(seconds, zone)
    if then.date() == today:
        return f"{then:%H:%M}"
    year = f" {then.year}" if then.year != today.year else ""
    return f"{then.day} {then:%b}{year} {then:%H:%M}"
