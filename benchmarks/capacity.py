"""What a hundred, a thousand and a hundred thousand students need, and what gives way first.

    python -m benchmarks.capacity [--core-hour PRICE]

Reckons and measures nothing: COSTS were measured by benchmarks.scale, benchmarks.cluster and
benchmarks.writers on the machine that docs/results.md was measured on, HABITS are what students are
taken to do. Change either and see what becomes of the answer.
"""

import argparse
import math
from dataclasses import dataclass

from mnist_core.store.quotas import MOST_ACTIVE, MOST_STORED

STUDENTS = (100, 1_000, 100_000)


@dataclass(frozen=True)
class Costs:
    """What was measured.

    Attributes:
        answers_held: in a second, that a server of one core gave within 300 ms.
        answer_kilobytes: sent for an answer.
        server_megabytes, visitor_megabytes: memory of a server, and of each visitor more.
        runs_an_hour: of the preset "classic", by a worker of one core.
        worker_megabytes: memory of a worker.
        answer_transactions: of Postgres, for an answer.
        writers: workers training "cnn" whose reports and checkpoints one Postgres took within
            100 ms, on two cores that it shared with them.
    """

    answers_held: float
    answer_kilobytes: float
    server_megabytes: float
    visitor_megabytes: float
    runs_an_hour: float
    worker_megabytes: float
    answer_transactions: float
    writers: int


COSTS = Costs(
    answers_held=40.0,
    answer_kilobytes=20.0,
    server_megabytes=280.0,
    visitor_megabytes=2.5,
    runs_an_hour=342.0,
    worker_megabytes=820.0,
    answer_transactions=1.3,
    writers=100,
)


@dataclass(frozen=True)
class Habits:
    """What students do, all of them at the same time.

    Attributes:
        seconds_between: two actions of one student.
        runs: that a student trains in an hour.
        pressing: the share of them that presses the button in the same minute.
        busy: the share of their time that workers may train, so that runs seldom wait.
    """

    seconds_between: float = 8.0
    runs: float = 3.0
    pressing: float = 0.1
    busy: float = 0.5


@dataclass(frozen=True)
class Need:
    """What so many students need, and the share of what there is only one of that they take.

    Attributes:
        answers, megabytes_sent: in a second.
        servers: to answer, each a process with a core of its own.
        memory: of all servers, in GB.
        workers: each with a core of its own.
        transactions: that pages ask of Postgres, in a second.
        minutes_kept: until a network is forgotten for newer ones.
        shares: of the one queue, the one Postgres and the runs it keeps; above 1 it gives way.
    """

    answers: float
    megabytes_sent: float
    servers: int
    memory: float
    workers: int
    transactions: float
    minutes_kept: float
    shares: dict[str, float]


def need(students: int, costs: Costs, habits: Habits) -> Need:
    """What so many students need who are all there at the same time."""
    answers = students / habits.seconds_between
    servers = math.ceil(answers / costs.answers_held)
    runs = students * habits.runs
    workers = math.ceil(runs / costs.runs_an_hour / habits.busy)
    return Need(
        answers,
        answers * costs.answer_kilobytes / 1000,
        servers,
        (servers * costs.server_megabytes + students * costs.visitor_megabytes) / 1000,
        workers,
        answers * costs.answer_transactions,
        60 * MOST_STORED / runs,
        {
            "places in the queue": students * habits.pressing / MOST_ACTIVE,
            "runs kept for an hour": runs / MOST_STORED,
            "Postgres": workers / costs.writers,
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--core-hour", type=float, default=0.04, help="what one costs; yours")
    arguments = parser.parse_args()
    for students in STUDENTS:
        needed = need(students, COSTS, Habits())
        cores = needed.servers + needed.workers
        gigabytes = needed.memory + needed.workers * COSTS.worker_megabytes / 1000
        print(
            f"{students:,} students: {needed.answers:,.0f} answers and "
            f"{needed.megabytes_sent:,.1f} MB a second; {needed.servers:,} servers, "
            f"{needed.workers:,} workers; {cores:,} cores, {gigabytes:,.0f} GB; "
            f"{cores * arguments.core_hour:,.2f} an hour at {arguments.core_hour} a core"
        )
        print(
            f"  pages ask Postgres for {needed.transactions:,.0f} transactions a second; a network "
            f"is kept for {needed.minutes_kept:,.1f} minutes"
        )
        for what, share in sorted(needed.shares.items(), key=lambda item: -item[1]):
            print(f"  {share:8.0%} of {what}")


if __name__ == "__main__":
    main()
