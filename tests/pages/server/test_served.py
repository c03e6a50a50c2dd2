"""Files that browsers fetch: several servers in one folder may write the same one at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

from pages.server import served

SERVERS = 4


def test_servers_that_write_one_file_at_the_same_moment_all_serve_it_whole(monkeypatch, tmp_path):
    monkeypatch.setattr(served, "STATIC", tmp_path)
    # As in processes of their own, which share no lock.
    monkeypatch.setattr(served, "ONE_WRITER_AT_A_TIME", nullcontext())
    content = bytes(2_000_000)
    together = threading.Barrier(SERVERS)

    def make() -> bytes:
        together.wait(30)
        return content

    with ThreadPoolExecutor(SERVERS) as servers:
        found = list(servers.map(lambda _: served.address("digits.png", make), range(SERVERS)))
    assert found == ["app/static/digits.png"] * SERVERS
    assert (tmp_path / "digits.png").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["digits.png"]
