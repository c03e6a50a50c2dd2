"""Who may do what, and how much: owners, the queue's length, pins, stored bytes."""

from collections.abc import Collection

import sqlalchemy as sa

from mnist_core.errors import NotAllowed
from mnist_core.store import schema
from mnist_core.store.rows import read_run
from mnist_core.store.run import ACTIVE, TEACHER, Run

# A run takes a place in the queue, and so does a whole sweep, whose later runs let everybody
# else go first. A class of forty comes from one address, and each student may have one of both;
# yet no address may have all places.
MOST_ACTIVE, MOST_ACTIVE_EACH_ADDRESS = 150, 100
# The disk is everybody's: so many runs, and so many bytes of their models in all.
# A class of forty has a run and a default sweep of six each, beside those kept for good.
MOST_STORED = 300
MOST_BYTES = 1_000_000_000
MOST_PINNED_EACH, MOST_PINNED = 3, 20


def read_own(connection: sa.Connection, run_id: str, owner: str) -> Run:
    run = read_run(connection, run_id, lock=True)
    check_own(run, owner)
    return run


def check_own(run: Run, owner: str) -> None:
    if owner not in (run.owner, TEACHER):
        raise NotAllowed("Only the person who started a run can do that.")


def check_is_visitor(owner: str) -> None:
    if owner == TEACHER:
        raise NotAllowed("A run belongs to whoever started it; the teacher has none.")


def check_room(
    connection: sa.Connection, owner: str, same_address: Collection[str], sweep: bool = False
) -> None:
    """Whether this owner may have one more run, or one more sweep, in the queue.

    Raises:
        NotAllowed: this owner has one already, or the queue has no room for another.
    """
    runs = schema.runs.c
    query = sa.select(runs.id, runs.owner, runs.sweep).where(runs.state.in_(ACTIVE))
    active = connection.execute(query).all()
    if any(run.owner == owner and (run.sweep is not None) == sweep for run in active):
        kind = "sweep" if sweep else "run"
        raise NotAllowed(f"You have a {kind} in training already; wait for it or stop it.")
    places = {run.sweep or run.id for run in active}
    at_address = {run.sweep or run.id for run in active if run.id in same_address}
    if len(places) >= MOST_ACTIVE:
        raise NotAllowed("The queue is full; try again in a few minutes.")
    if len(at_address) >= MOST_ACTIVE_EACH_ADDRESS:
        raise NotAllowed(
            "Your network has as many runs in the queue as it may; try again in a few minutes."
        )
