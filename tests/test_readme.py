"""The README says what is there: its map of the files, and its settings."""

import re

import pytest

from tests.helpers import PROJECT

README = (PROJECT / "README.md").read_text()
MAPPED = re.findall(r"^(\S+\.py|\S+/|\.ci/run) {2,}\S", README, re.M)


def test_the_map_names_every_module_and_nothing_else():
    modules = [
        path.relative_to(PROJECT).as_posix()
        for folder in (".", ".ci", "pages", "mnist_core", "benchmarks", "docs")
        for path in (PROJECT / folder).glob("*.py")
    ]
    assert sorted(name for name in MAPPED if name.endswith(".py")) == sorted(modules)


@pytest.mark.parametrize("name", MAPPED)
def test_what_the_map_names_is_there(name):
    assert (PROJECT / name).exists()


def test_every_setting_the_code_reads_is_explained():
    folders = (PROJECT / "mnist_core", PROJECT / "pages")
    code = "".join(path.read_text() for folder in folders for path in folder.glob("*.py"))
    for setting in set(re.findall(r'"(MNIST_[A-Z_]+)"', code)):
        assert f"| `{setting}` |" in README


def test_the_pictures_it_shows_are_there():
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    assert pictures
    for picture in pictures:
        assert (PROJECT / picture).is_file()


def test_the_guide_to_hosting_names_what_the_container_has():
    guide = (PROJECT / "docs" / "hosting.md").read_text()
    dockerfile = (PROJECT / "Dockerfile").read_text()
    for both in ("/data", "8501", "10001"):
        assert both in guide
        assert both in dockerfile
    assert "-r requirements-cluster.txt" in dockerfile
    cluster = (PROJECT / "requirements-cluster.txt").read_text()
    (driver,) = re.findall(r"^psycopg.+", cluster, re.M)
    assert f"`{driver}`" in guide


def test_every_fault_in_the_docs_is_tried_by_a_test_that_is_there():
    rows = [
        line.strip("|").split("|")
        for line in (PROJECT / "docs" / "faults.md").read_text().splitlines()
        if line.startswith("|")
    ][2:]
    assert len(rows) >= 15
    tests = "".join(path.read_text() for path in (PROJECT / "tests").rglob("test_*.py"))
    for fault, _, tried in rows:
        name = tried.strip().strip("`")
        assert name == "by the soak alone" or f"def {name}(" in tests, fault
