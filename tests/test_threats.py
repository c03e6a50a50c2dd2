"""docs/threats.md says the numbers that the code has, and names tests that are there."""

import re
import tomllib

from mnist_core import drawing, sweeps
from mnist_core.store import quotas
from pages.server import messages, rates, uploads
from pages.server.rates import LIMITS
from tests.helpers import PROJECT

TEXT = (PROJECT / "docs" / "threats.md").read_text()
ROWS = {
    cells[0]: cells[1:]
    for line in TEXT.splitlines()
    if line.startswith("|") and len(cells := [c.strip() for c in line.strip("|").split("|")]) == 4
}
SERVER = tomllib.loads((PROJECT / ".streamlit" / "config.toml").read_text())["server"]


def row(start: str) -> list[str]:
    (found,) = [cells for name, cells in ROWS.items() if name.startswith(start)]
    return found


def test_the_rates_are_those_of_the_code():
    for name, start in (
        (rates.TRAIN, "runs started"),
        (rates.PICTURE, "pictures read"),
        (rates.STUDY, "t-SNE maps"),
        (rates.CHANGE, "runs renamed"),
    ):
        limit = LIMITS[name]
        parts = (limit.visitor, limit.address, limit.everybody)
        assert row(start) == [str(rate.most) for rate in parts]
        (title,) = [title for title in ROWS if title.startswith(start)]
        assert {f"in {rate.seconds:g} s" for rate in parts} == {title.split(", ")[-1]}
    limit = LIMITS[rates.SIGN_IN]
    assert row("passwords") == [
        f"{rate.most} in {rate.seconds:g} s"
        for rate in (limit.visitor, limit.address, limit.everybody)
    ]


def test_the_bounds_are_those_of_the_code():
    assert row("runs and sweeps waiting") == [
        "1 of each",
        str(quotas.MOST_ACTIVE_EACH_ADDRESS),
        str(quotas.MOST_ACTIVE),
    ]
    assert row("runs of a sweep")[0] == str(sweeps.MOST_RUNS)
    assert row("runs kept") == [str(quotas.MOST_PINNED_EACH), "", str(quotas.MOST_PINNED)]
    assert row("runs stored")[2] == f"{quotas.MOST_STORED}, {quotas.MOST_BYTES // 10**6:,} MB"
    assert row(f"messages of one connection, in {messages.RATE.seconds:g} s")[0] == str(
        messages.RATE.most
    )
    held = [f"{most // 10**6} MB" for most in (uploads.MOST_EACH, uploads.MOST_ALL)]
    assert row("uploaded files") == [held[0], "", held[1]]
    assert row("one uploaded file")[0] == f"{SERVER['maxUploadSize']} MB"
    assert SERVER["maxUploadSize"] * 1024**2 == drawing.MOST_BYTES
    assert row("one message")[0] == f"{SERVER['maxWidgetStateSize']} MB"


def test_the_tests_it_names_are_there():
    names = re.findall(r"`(tests/[\w/.]+)`", TEXT)
    assert len(set(names)) > 8
    for name in names:
        assert (PROJECT / name).exists()


def test_the_readme_leads_there():
    assert "(docs/threats.md)" in (PROJECT / "README.md").read_text()
