import pytest

from mnist_core.store.database import Database
from mnist_core.store.tasks import TaskStore
from pages.shared import links

QUERY = {"digits": ["3", "5"], "count": ["25"], "show": ["A sample"]}


@pytest.fixture
def tasks(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'runs.db'}")
    yield TaskStore(database)
    database.close()


def test_a_code_leads_to_the_page_and_all_that_is_chosen_on_it(tasks):
    code = links.shorten(tasks, "explore", QUERY)
    assert len(code) == links.SHORTEST
    assert links.find(tasks, code) == ("explore", QUERY)
    assert links.find(tasks, code.lower()) == ("explore", QUERY)


def test_the_same_page_has_the_same_code_whatever_the_order(tasks):
    again = dict(reversed(QUERY.items()))
    assert links.shorten(tasks, "explore", QUERY) == links.shorten(tasks, "explore", again)
    assert links.shorten(tasks, "evaluate", QUERY) != links.shorten(tasks, "explore", QUERY)


def test_a_code_that_is_taken_is_left_alone_and_a_longer_one_is_given(tasks):
    code = links.shorten(tasks, "explore", QUERY)
    tasks.keep(f"address {code}", b"draw?run=cnn")
    longer = links.shorten(tasks, "explore", QUERY)
    assert longer.startswith(code)
    assert len(longer) == len(code) + 1
    assert links.find(tasks, code) == ("draw", {"run": ["cnn"]})
    assert links.find(tasks, longer) == ("explore", QUERY)


@pytest.mark.parametrize(
    "code", ["", "AB", "ACDEF", "A" * 500, "mnist", "\x00" * 5, "../..", "０" * 5]
)
def test_an_unknown_code_leads_nowhere(tasks, code):
    assert links.find(tasks, code) is None


def test_an_address_without_end_is_refused(tasks):
    with pytest.raises(ValueError, match="2000"):
        links.shorten(tasks, "explore", {"image": ["x" * 3000]})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1", "0.0.0.0"])
def test_these_names_mean_the_computer_that_uses_them(host):
    assert links.is_local(host)


@pytest.mark.parametrize("host", ["192.168.1.20", "mnist.example.org", "local", ""])
def test_these_mean_the_same_to_everybody(host):
    assert not links.is_local(host)
