"""rates: how often something may be done, so that one stranger cannot use it all up.

Each event counts under several keys at once: the visitor, their address and everybody.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

# With more keys, the least recently used are forgotten; "everybody" never is.
MOST_KEYS = 20_000


@dataclass(frozen=True)
class Rate:
    """At most this many events within this many seconds."""

    most: int
    seconds: float


@dataclass(frozen=True)
class Limit:
    """The rates of one kind of event.

    Attributes:
        name: what was done too often, as the start of a sentence.
        visitor: for one visitor, who becomes another by deleting a cookie.
        address: for one address, which a class of forty may share.
        everybody: for all together.
    """

    name: str
    visitor: Rate
    address: Rate
    everybody: Rate


TRAIN, PICTURE, STUDY = "train", "picture", "study"
CHANGE, SIGN_IN, SHARE = "change", "sign_in", "share"
# A class of forty shares one address; behind a proxy, everybody does.
LIMITS = {
    TRAIN: Limit("Runs were started", Rate(20, 600), Rate(240, 600), Rate(480, 600)),
    PICTURE: Limit("Pictures were sent", Rate(20, 60), Rate(120, 60), Rate(180, 60)),
    STUDY: Limit("Maps were asked for", Rate(6, 600), Rate(40, 600), Rate(60, 600)),
    CHANGE: Limit("Runs were changed", Rate(30, 60), Rate(240, 60), Rate(480, 60)),
    # Each may push a map out of the database.
    SHARE: Limit("Pages were shared", Rate(20, 600), Rate(40, 600), Rate(60, 600)),
    SIGN_IN: Limit("Passwords were tried", Rate(5, 60), Rate(10, 300), Rate(30, 300)),
}


class Rates:
    """Counts events by key, in memory. Safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._times)

    def count(self, rates: Mapping[str, Rate]) -> float:
        """Count one event under all of these keys, or under none if one of them is full.

        Returns:
            0 if it was counted, otherwise seconds until there is room.
        """
        with self._lock:
            now = self._clock()
            wait = max((self._wait(key, rate, now) for key, rate in rates.items()), default=0.0)
            if wait <= 0:
                for key in rates:
                    self._times.setdefault(key, deque()).append(now)
                    self._times.move_to_end(key)
                while len(self._times) > MOST_KEYS:
                    self._times.popitem(last=False)
            return wait

    def take_back(self, keys: Iterable[str]) -> None:
        """Uncount the latest event of each key, because it had no effect."""
        with self._lock:
            for key in keys:
                if times := self._times.get(key):
                    times.pop()

    def _wait(self, key: str, rate: Rate, now: float) -> float:
        times = self._times.get(key, deque())
        while times and times[0] <= now - rate.seconds:
            times.popleft()
        if len(times) < rate.most:
            return 0.0
        return times[-rate.most] + rate.seconds - now


def refusal(limit: Limit, wait: float) -> str:
    """The sentence for a visitor who has to wait this many seconds."""
    seconds = max(1, round(wait + 0.5))
    when = f"{seconds} s" if seconds < 120 else f"{round(seconds / 60)} minutes"
    return f"{limit.name} too often in a short time; try again in {when}."
