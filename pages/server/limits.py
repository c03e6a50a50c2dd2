"""limits: no visitor and no address takes so much that others get nothing.

The numbers are in rates.py and in mnist_core/store/quotas.py. Counts live in this process's
memory only; an address is kept as a hash whose key is lost with the process.
"""

import hashlib
import ipaddress
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from mnist_core.config import TrainConfig
from mnist_core.errors import NotAllowed
from mnist_core.store.run import ACTIVE, Run
from mnist_core.store.runs import RunStore
from pages.server.rates import LIMITS, TRAIN, Rate, Rates, refusal

HASH_KEY = secrets.token_bytes(32)


def address() -> str:
    """The hashed address that this visitor connects from; empty if unknown.

    It is the socket's, or what a proxy at a trusted address reports: see docs/threats.md.
    """
    return network(st.context.ip_address or "")


def network(text: str) -> str:
    """A keyed hash of an IP address; empty if the text is not one."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if found.version == 6:
        found = found.ipv4_mapped or found
    # An IPv6 household has 2**64 addresses, which share their first eight bytes.
    return hashlib.blake2b(found.packed[:8], key=HASH_KEY, digest_size=16).hexdigest()


def check(what: str, visitor: str) -> None:
    """Count an attempt, whether or not it will succeed.

    Args:
        what: a key of ``rates.LIMITS``.

    Raises:
        NotAllowed: this visitor, this address or everybody together did it too often lately.
    """
    if wait := _rates().count(_keys(what, visitor)):
        raise NotAllowed(refusal(LIMITS[what], wait))


@contextmanager
def counted(what: str, visitor: str) -> Iterator[None]:
    """Count what the block does, unless it fails: a request without effect costs nothing.

    Raises:
        NotAllowed: as ``check``, before the block runs.
    """
    check(what, visitor)
    try:
        yield
    except Exception:
        _rates().take_back(_keys(what, visitor))
        raise


def _keys(what: str, visitor: str) -> dict[str, Rate]:
    """The keys that an event is counted under, each with its rate."""
    limit = LIMITS[what]
    return {
        f"{what} of visitor {visitor}": limit.visitor,
        f"{what} of address {address()}": limit.address,
        what: limit.everybody,
    }


def submit(store: RunStore, config: TrainConfig, visitor: str, name: str = "") -> Run:
    """Queue a run. Raises NotAllowed: over a limit, or as ``RunStore.submit``."""
    return _queue(
        store, visitor, lambda active: [store.submit(config, visitor, active, name=name)]
    )[0]


def submit_sweep(
    store: RunStore, configs: list[TrainConfig], visitor: str, name: str = ""
) -> list[Run]:
    """Queue a sweep, which counts as one run: its later runs let everybody else go first.

    Raises:
        NotAllowed: as ``submit``.
    """
    return _queue(
        store, visitor, lambda active: store.submit_sweep(configs, visitor, active, name=name)
    )


def resume(store: RunStore, run_id: str, visitor: str, owner: str, more_epochs: int) -> None:
    """Continue a run on behalf of ``owner``, who may be the teacher.

    Raises:
        NotAllowed: over a limit, or as ``RunStore.resume``.
    """
    _queue(store, visitor, lambda active: [store.resume(run_id, owner, more_epochs, active)])


def _queue(store: RunStore, visitor: str, request: Callable[[set[str]], list[Run]]) -> list[Run]:
    """Make a request that takes the ids of the active runs from this visitor's address."""
    place, origins = address(), _origins()
    with counted(TRAIN, visitor), origins.lock:
        runs = request(origins.of(place))
        origins.remember(runs, place, store)
    return runs


class Origins:
    """Which address each run in the queue was submitted from."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._places: dict[str, str] = {}

    def of(self, place: str) -> set[str]:
        """Ids of the runs from that address."""
        return {run_id for run_id, origin in self._places.items() if origin == place}

    def remember(self, runs: list[Run], place: str, store: RunStore) -> None:
        """Note where these runs come from, and forget those that have left the queue."""
        active = {run.id for run in store.list_runs(states=ACTIVE)}
        places = self._places | {run.id: place for run in runs}
        self._places = {run_id: places[run_id] for run_id in active & places.keys()}


@st.cache_resource(show_spinner=False)
def _rates() -> Rates:
    return Rates()


@st.cache_resource(show_spinner=False)
def _origins() -> Origins:
    return Origins()
