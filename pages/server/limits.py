"""limits: no visitor, and no address, takes so much that others get nothing.

The numbers are in rates.py and in mnist_core/store/quotas.py. What is counted is in this process's
memory only; of an address nothing is kept but a hash whose key is forgotten with it.
"""

import hashlib
import ipaddress
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from mnist_core.config import TrainConfig
from mnist_core.errors import NotAllowed
from mnist_core.store.run import ACTIVE, Run
from mnist_core.store.runs import RunStore
from pages.server.rates import LIMITS, TRAIN, Rate, Rates, refusal

HASH_KEY = secrets.token_bytes(32)


def address() -> str:
    """What stands for the network a visitor comes from; the same where it is unknown.

    It is the socket's, or what a proxy on a trusted address says: see docs/threats.md.
    """
    return network(st.context.ip_address or "")


def network(text: str) -> str:
    """A keyed hash of an address; empty where the text is none."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if found.version == 6:
        found = found.ipv4_mapped or found
    # A household has 2**64 addresses of version 6, which have their first eight bytes in common.
    return hashlib.blake2b(found.packed[:8], key=HASH_KEY, digest_size=16).hexdigest()


def check(what: str, visitor: str) -> None:
    """Count something that is attempted now, whether or not it will succeed.

    Args:
        what: a key of ``rates.LIMITS``.

    Raises:
        NotAllowed: too much of it was done lately, by this visitor, from this address or by all.
    """
    limit = LIMITS[what]
    if wait := _rates().count(_counted_under(what, visitor)):
        raise NotAllowed(refusal(limit, wait))


@contextmanager
def counted(what: str, visitor: str) -> Iterator[None]:
    """Count what is done inside, unless it fails: a request without effect costs nothing.

    Args:
        what: a key of ``rates.LIMITS``.

    Raises:
        NotAllowed: as ``check`` does; nothing inside was done.
    """
    check(what, visitor)
    try:
        yield
    except Exception:
        _rates().take_back(_counted_under(what, visitor))
        raise


def _counted_under(what: str, visitor: str) -> dict[str, Rate]:
    """The keys under which an event is counted, each with its rate."""
    limit = LIMITS[what]
    return {
        f"{what} of visitor {visitor}": limit.visitor,
        f"{what} of address {address()}": limit.address,
        what: limit.everybody,
    }


def submit(store: RunStore, config: TrainConfig, visitor: str) -> Run:
    """Ask for a run. Raises NotAllowed: it would be too much, or as ``RunStore.submit``."""
    place, origins = address(), _origins()
    with counted(TRAIN, visitor), origins.lock:
        run = store.submit(config, visitor, origins.of(place))
        origins.remember([run], place, store)
    return run


def submit_sweep(store: RunStore, configs: list[TrainConfig], visitor: str) -> list[Run]:
    """Ask for a sweep, which counts as one run: its later runs let everybody else go first.

    Raises:
        NotAllowed: as ``submit`` does.
    """
    place, origins = address(), _origins()
    with counted(TRAIN, visitor), origins.lock:
        runs = store.submit_sweep(configs, visitor, origins.of(place))
        origins.remember(runs, place, store)
    return runs


def resume(store: RunStore, run_id: str, visitor: str, owner: str, more_epochs: int) -> None:
    """Let a run go on. Raises NotAllowed: it would be too much, or as ``RunStore.resume``.

    Args:
        owner: as whom, which may be the teacher.
    """
    place, origins = address(), _origins()
    with counted(TRAIN, visitor), origins.lock:
        run = store.resume(run_id, owner, more_epochs, origins.of(place))
        origins.remember([run], place, store)


class Origins:
    """From which address the runs in the queue were asked for. Forgotten with the process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._places: dict[str, str] = {}

    def of(self, place: str) -> set[str]:
        """Ids of the runs of that address."""
        return {run_id for run_id, from_where in self._places.items() if from_where == place}

    def remember(self, runs: list[Run], place: str, store: RunStore) -> None:
        """And forget those that have left the queue."""
        active = {other.id for other in store.list_runs(states=ACTIVE)}
        self._places |= {run.id: place for run in runs}
        self._places = {key: value for key, value in self._places.items() if key in active}


@st.cache_resource(show_spinner=False)
def _rates() -> Rates:
    return Rates()


@st.cache_resource(show_spinner=False)
def _origins() -> Origins:
    return Origins()
