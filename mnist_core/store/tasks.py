"""TaskStore: what pages ask workers for besides training, and what came of it.

A study takes a while to compute, is computed once by a worker, and kept. Its key says in full
what is to be computed, so all who ask for the same get the same; analysis/map_study.py does
the work. The download fetches all of MNIST.
"""

import logging

from mnist_core.errors import NotAllowed
from mnist_core.store import queue
from mnist_core.store.database import Database
from mnist_core.store.queue import DONE, DOWNLOAD, STUDY, Task
from mnist_core.store.run import ACTIVE, FAILED

log = logging.getLogger("mnist_core.store.tasks")

# The id of the only download there is.
MNIST = "mnist"
KEY_LENGTH = 120
# Anybody may ask, so there is a limit.
MOST_WAITING = 20


class TaskStore:
    """The studies and the download in a database.

    Every method raises ``StoreUnavailable`` if the database cannot do what is asked.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def request(self, key: str) -> Task:
        """Ask for a study; one that waits, runs or is done is left as it is.

        Raises:
            ValueError: the key is empty, or longer than 120 characters.
            NotAllowed: 20 are waiting already.
        """
        _check_key(key)
        with self.database.write() as connection:
            known = queue.read(connection, key)
            if known and known.state != FAILED:
                return known
            if queue.count_waiting(connection, STUDY) >= MOST_WAITING:
                raise NotAllowed("Too much is being computed already; try again in a few minutes.")
            queue.replace(connection, key, STUDY)
            asked = queue.read(connection, key)
            assert asked is not None
        log.info("study %s asked for", key)
        return asked

    def find(self, key: str) -> Task | None:
        """The study with this key, with its result if it is done; None if nobody asked for it,
        or if it was forgotten since."""
        with self.database.read() as connection:
            return queue.read(connection, key)

    def keep(self, key: str, data: bytes) -> None:
        """Store what was computed elsewhere, in place of what there is.

        Raises:
            ValueError: the key is empty or too long, or there are more than a million bytes.
        """
        _check_key(key)
        with self.database.write() as connection:
            queue.replace(connection, key, STUDY, DONE, data)

    def download(self) -> Task | None:
        """The latest download of MNIST; None if nobody asked for one."""
        return self.find(MNIST)

    def request_download(self) -> None:
        """Ask for the download of MNIST, unless it waits or runs already."""
        with self.database.write() as connection:
            known = queue.read(connection, MNIST)
            if known is None or known.state not in ACTIVE:
                queue.replace(connection, MNIST, DOWNLOAD)


def _check_key(key: str) -> None:
    if not 0 < len(key) <= KEY_LENGTH:
        raise ValueError(f"Expected a key of 1 to {KEY_LENGTH} characters, got {len(key)}.")
    if key == MNIST:
        raise ValueError(f"{key!r} is the key of the download; choose another one.")
