import threading

import pytest

from pages.server import rates
from pages.server.rates import LIMITS, Limit, Rate, Rates, refusal

THREE = Rate(3, 60)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def counted(clock):
    return Rates(clock)


def test_as_many_as_allowed_pass_and_then_none_until_the_first_is_old(counted, clock):
    for _ in range(3):
        assert counted.count({"a": THREE}) == 0
        clock.now += 10
    assert counted.count({"a": THREE}) == 30
    clock.now += 29
    assert counted.count({"a": THREE}) == 1
    clock.now += 1
    assert counted.count({"a": THREE}) == 0
    assert counted.count({"a": THREE}) == 10


def test_whoever_is_refused_does_not_wait_longer_for_having_asked(counted, clock):
    for _ in range(100):
        counted.count({"a": THREE})
    clock.now += 60
    assert counted.count({"a": THREE}) == 0


def test_what_had_no_effect_is_taken_back_under_each_key(counted):
    for _ in range(10):
        assert counted.count({"a": THREE, "all": Rate(2, 60)}) == 0
        counted.take_back(["a", "all"])
    assert counted.count({"a": THREE, "all": Rate(2, 60)}) == 0
    assert counted.count({"all": Rate(2, 60)}) == 0
    assert counted.count({"all": Rate(2, 60)}) == 60
    counted.take_back(["never counted"])


def test_keys_are_counted_apart(counted):
    for _ in range(3):
        assert counted.count({"a": THREE}) == 0
    assert counted.count({"b": THREE}) == 0


def test_what_one_key_refuses_is_counted_under_none(counted):
    counted.count({"a": Rate(1, 60)})
    for _ in range(10):
        assert counted.count({"a": Rate(1, 60), "all": THREE}) > 0
    assert counted.count({"all": THREE}) == 0


def test_the_longest_wait_is_told(counted, clock):
    counted.count({"a": Rate(1, 10)})
    clock.now += 5
    counted.count({"b": Rate(1, 20)})
    assert counted.count({"a": Rate(1, 10), "b": Rate(1, 20)}) == 20


def test_who_becomes_another_all_the_time_is_held_off_by_address_and_by_all(counted):
    passed = [
        counted.count({f"visitor {number}": Rate(2, 60), "address": Rate(5, 60), "all": THREE})
        for number in range(100)
    ]
    assert passed.count(0) == 3


def test_thousands_of_keys_take_no_more_room_than_allowed(counted, monkeypatch):
    monkeypatch.setattr(rates, "MOST_KEYS", 100)
    for number in range(5000):
        counted.count({f"visitor {number}": THREE, "all": Rate(10_000, 60)})
        assert len(counted) <= 100
    # The one that is used all the time is not among the forgotten.
    assert counted.count({"all": Rate(5000, 60)}) > 0


def test_many_threads_together_get_no_more_than_one_would(counted):
    passed = []

    def ask():
        for _ in range(200):
            passed.append(counted.count({"all": Rate(50, 60)}))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert passed.count(0) == 50


@pytest.mark.parametrize(
    ("wait", "when"),
    [(0.01, "1 s"), (29.2, "30 s"), (100, "100 s"), (400, "7 minutes")],
)
def test_a_refusal_says_when_to_try_again(wait, when):
    sentence = refusal(Limit("Runs were started", THREE, THREE, THREE), wait)
    assert sentence == f"Runs were started too often in a short time; try again in {when}."


@pytest.mark.parametrize("name", sorted(LIMITS.keys() - {"sign_in"}))
def test_a_class_of_forty_from_one_address_is_let_in(name):
    """Each of them once in the first moment: nobody is refused."""
    counted, limit = Rates(lambda: 0.0), LIMITS[name]
    for student in range(40):
        keys = {f"{student}": limit.visitor, "school": limit.address, "all": limit.everybody}
        assert counted.count(keys) == 0


def test_all_the_world_together_tries_a_few_hundred_passwords_an_hour():
    everybody = LIMITS["sign_in"].everybody
    assert everybody.most / everybody.seconds * 3600 <= 400
