import threading

import pytest

from pages.server import turnstile
from pages.server.turnstile import AT_ONCE, turn
from tests.helpers import wait_until


@pytest.fixture
def patient(monkeypatch):
    """Nobody loses patience while a test runs."""
    monkeypatch.setattr(turnstile, "PATIENCE_SECONDS", 60)


class Page(threading.Thread):
    """A page that is made until the test says that it is done."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.inside, self.done = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with turn():
            self.inside.set()
            self.done.wait(60)


def test_no_more_pages_than_that_are_made_at_once_and_the_next_follows(patient):
    pages = [Page() for _ in range(AT_ONCE + 1)]
    wait_until(lambda: sum(page.inside.is_set() for page in pages) == AT_ONCE)
    (outside,) = (page for page in pages if not page.inside.is_set())
    first = next(page for page in pages if page is not outside)
    first.done.set()
    assert outside.inside.wait(60)
    for page in pages:
        page.done.set()
        page.join(60)


def test_a_part_of_a_page_is_made_in_the_pages_own_turn(patient):
    with turn(), turn():
        others = [Page() for _ in range(AT_ONCE - 1)]
        wait_until(lambda: all(page.inside.is_set() for page in others))
    for page in others:
        page.done.set()
        page.join(60)


def test_a_page_that_fails_lets_the_next_one_in(patient):
    for _ in range(AT_ONCE + 1):
        with pytest.raises(ZeroDivisionError), turn():
            print(1 / 0)


def test_who_has_waited_long_goes_in_all_the_same(monkeypatch):
    monkeypatch.setattr(turnstile, "PATIENCE_SECONDS", 0.01)
    slow = [Page() for _ in range(AT_ONCE)]
    wait_until(lambda: all(page.inside.is_set() for page in slow))
    with turn():
        assert not any(page.done.is_set() for page in slow)
    for page in slow:
        page.done.set()
        page.join(60)
