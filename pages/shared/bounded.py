"""bounded: a cache that may take so many bytes, and forgets what was least recently used."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class BoundedCache:
    """Values by their keys. Safe to use from many threads.

    Args:
        most_bytes: what all values may take together; the newest is kept even if it alone is
            larger.
        size: how many bytes a value takes.
    """

    def __init__(self, most_bytes: int, size: Callable[[Any], int]) -> None:
        self._most_bytes, self._size = most_bytes, size
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The value of this key, made if it is not there.

        Made outside the lock, so that nobody waits for what somebody else is making; two who
        ask at the same moment may both make it.
        """
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]
        value = make()
        size = self._size(value)
        with self._lock:
            if key in self._values:
                return self._values[key][0]
            self._values[key] = value, size
            self._bytes += size
            while self._bytes > self._most_bytes and len(self._values) > 1:
                _, (_, oldest) = self._values.popitem(last=False)
                self._bytes -= oldest
        return value
