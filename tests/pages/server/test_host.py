"""What the host is told when somebody enters."""

import logging

from mnist_core.store import engine
from pages.server import host
from tests.helpers import PROJECT

PASSWORD = "k0sh-er:pa55"


def test_the_server_says_once_what_it_is_and_no_secret(open_page, monkeypatch, caplog):
    host.greet.cache_clear()
    monkeypatch.setenv("MNIST_TEACHER_PASSWORD", PASSWORD)
    with caplog.at_level(logging.INFO, "pages"):
        open_page("overview", "a-token-of-32-characters-or-more")
        open_page("draw")
    (greeting,) = [record for record in caplog.records if record.name == "pages.server"]
    assert greeting.getMessage() == (
        f"entered for the first time: version {host.version()}, digits of source sample, "
        "database sqlite, at most 0 workers, teacher's password set"
    )
    assert PASSWORD not in caplog.text
    assert engine.database_url() not in caplog.text


def test_the_version_is_the_newest_one_in_the_list_of_changes(monkeypatch):
    assert f"## {host.version()}" in (PROJECT / "CHANGELOG.md").read_text()
    monkeypatch.setattr(host, "CHANGELOG", PROJECT / "nowhere.md")
    assert host.version() == "unknown"
