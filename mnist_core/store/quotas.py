"""Who may do what, and how much: owners, the queue's length, pins, stored runs and bytes."""

from collections.abc import Collection

import sqlalchemy as sa

from mnist_core.errors import NotAllowed
from mnist_core.store.rows import delete_runs, read_run
from mnist_core.store.run import ACTIVE, RUNNING, TEACHER, Run
from mnist_core.store.schema import artifacts, runs, tasks
from mnist_core.sweeps import MOST_RUNS

# A run takes a place in the queue, and so does a whole sweep, whose later runs let everybody
# else go first. A class of forty shares one address, and each student may have one of both;
# yet no address may have all places.
MOST_ACTIVE, MOST_ACTIVE_EACH_ADDRESS = 150, 100
# The disk is everybody's: so many runs, and so many bytes of their models in all.
# A class of forty has a run and a default sweep of six each, besides those kept for good.
MOST_STORED = 300
MOST_BYTES = 1_000_000_000
MOST_PINNED_EACH, MOST_PINNED = 3, 20


def read_own(connection: sa.Connection, run_id: str, owner: str) -> Run:
    """A run of this owner, or any for the teacher, with its task locked.

    Raises:
        RunNotFound: there is none with that id.
        NotAllowed: it is another visitor's.
    """
    run = read_run(connection, run_id, lock=True)
    check_own(run, owner)
    return run


def check_own(run: Run, owner: str) -> None:
    """Raises NotAllowed: it is another visitor's."""
    if owner not in (run.owner, TEACHER):
        raise NotAllowed("Only the person who started a run can do that.")


def check_is_visitor(owner: str) -> None:
    """Raises NotAllowed: nobody trains as the teacher."""
    if owner == TEACHER:
        raise NotAllowed("A run belongs to the person who started it; the teacher has none.")


def check_room(
    connection: sa.Connection, owner: str, same_address: Collection[str], sweep: bool = False
) -> None:
    """See that this owner may have one more run, or one more sweep, in the queue.

    Raises:
        NotAllowed: this owner has one already, or the queue has no room for another.
    """
    query = sa.select(runs.c.id, runs.c.owner, runs.c.sweep).join(tasks, tasks.c.id == runs.c.id)
    active = connection.execute(query.where(tasks.c.state.in_(ACTIVE))).all()
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


def check_may_pin(connection: sa.Connection, owner: str) -> None:
    """Raises NotAllowed: this owner, or all together, keep as many runs as they may."""
    kept = sa.select(sa.func.count()).where(runs.c.pinned)
    # What the teacher keeps does not count as its owner's.
    own = kept.where(runs.c.owner == owner, sa.not_(runs.c.pinned_by_teacher))
    if (connection.execute(own).scalar() or 0) >= MOST_PINNED_EACH:
        raise NotAllowed(f"You can keep {MOST_PINNED_EACH} runs; let go of one first.")
    if (connection.execute(kept).scalar() or 0) >= MOST_PINNED:
        raise NotAllowed("As many runs are kept as there is room for.")


def forget_oldest(connection: sa.Connection, ending: int = 0) -> None:
    """Keep what is pinned or active, and of the rest what was trained last and has room.

    Runs without a network go first: many that were stopped before they began push no network
    out. Next go those beyond each owner's newest thirteen, a run and the longest sweep, so that
    nobody pushes out others' runs by training all day. Active runs take no other run's place,
    however long the queue is: that has a bound of its own.

    Args:
        ending: how many active runs are about to end, and will take a place then.
    """
    size = sa.func.coalesce(sa.func.sum(sa.func.length(artifacts.c.data)), 0)
    # A run that is about to end counts among its owner's newest.
    networks = sa.or_(runs.c.version > 0, tasks.c.state == RUNNING)
    nth_of_owner = sa.func.row_number().over(
        partition_by=(runs.c.owner, networks), order_by=tasks.c.turn.desc()
    )
    active = tasks.c.state.in_(ACTIVE)
    query = (
        sa.select(runs.c.id, active, runs.c.pinned, size)
        .select_from(runs.join(tasks, tasks.c.id == runs.c.id).outerjoin(artifacts))
        .group_by(
            runs.c.id, runs.c.owner, runs.c.pinned, runs.c.version, tasks.c.turn, tasks.c.state
        )
        .order_by((runs.c.version > 0).desc(), nth_of_owner > 1 + MOST_RUNS, tasks.c.turn.desc())
    )
    stored = [tuple(row) for row in connection.execute(query)]
    kept = [(is_active, data) for _, is_active, pinned, data in stored if is_active or pinned]
    room = MOST_STORED - ending - sum(not is_active for is_active, _ in kept)
    room_in_bytes = MOST_BYTES - sum(data for _, data in kept)
    forgotten = []
    for run_id, is_active, pinned, data in stored:
        if is_active or pinned:
            continue
        room, room_in_bytes = room - 1, room_in_bytes - data
        if room < 0 or room_in_bytes < 0:
            forgotten.append(run_id)
    delete_runs(connection, forgotten)
