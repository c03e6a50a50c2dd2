"""What a container would be, as far as it can be told without Docker; the rest of it is in
tests/browser/test_hosting.py."""

import json
import subprocess
import sys

import pytest

from tests.container import build, copies, instructions
from tests.helpers import PROJECT


def test_what_is_copied_is_there_and_is_let_through():
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    sources = [source for source, _ in copies()]
    assert [source for source in sources if not (PROJECT / source).exists()] == []
    assert [source for source in sources if f"!{source}" not in lines] == []


def test_nothing_else_is_let_through():
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    let_through = {line[1:] for line in lines if line.startswith("!")}
    assert let_through == {source for source, _ in copies()}


def test_it_does_not_run_as_root():
    (user,) = instructions("USER")
    assert int(user) > 0


def test_it_hears_that_it_shall_end():
    (command,) = instructions("CMD")
    assert json.loads(command)[0] == "streamlit"


def test_what_lasts_is_kept_on_the_volume():
    (volume,) = instructions("VOLUME")
    (environ,) = instructions("ENV")
    for setting in ("MNIST_DATABASE_URL=sqlite:///", "KERAS_HOME="):
        assert f"{setting}{volume}/" in environ


@pytest.mark.parametrize("module", ["jobs.opening", "jobs.worker", "__main__"])
def test_the_core_finds_all_it_imports_among_what_is_copied(module, tmp_path):
    subprocess.run(
        [sys.executable, "-c", f"import mnist_core.{module}"], cwd=build(tmp_path), check=True
    )
