"""What some tests need beyond requirements.txt, and the one way to ask for it.

    pytestmark = needs("browser")

If something is missing, these tests are skipped and the summary says what to install.
``pytest -m needs`` runs only them.
"""

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests import databases


@dataclass(frozen=True)
class Extra:
    """Something that not every machine has.

    Attributes:
        packages: importable names from requirements-dev.txt.
        program: the command that installs what else is needed; empty if nothing is.
        has_program: whether that is installed.
    """

    packages: tuple[str, ...]
    program: str = ""
    has_program: Callable[[], bool] = lambda: True


EXTRAS = {
    "browser": Extra(
        ("playwright", "axe_playwright_python"),
        "apt-get install chromium",
        lambda: shutil.which("chromium") is not None,
    ),
    # Real servers and workers, which take seconds to load TensorFlow.
    "processes": Extra(("psutil",)),
    "cluster": Extra(("distributed",)),
    "postgres": Extra(
        ("psycopg",), "apt-get install postgresql", lambda: databases.programs() is not None
    ),
}


def needs(*names: str) -> pytest.MarkDecorator:
    """Mark a test, a parameter or a whole file as needing these entries of ``EXTRAS``."""
    unknown = set(names) - set(EXTRAS)
    assert not unknown, f"not in EXTRAS: {unknown}"
    return pytest.mark.needs(*names)


def missing(name: str) -> str:
    """How to install this extra; empty if it is there."""
    extra = EXTRAS[name]
    steps = []
    if not all(importlib.util.find_spec(package) for package in extra.packages):
        steps.append("pip install -r requirements-dev.txt")
    elif not extra.has_program():
        steps.append(extra.program)
    return f"needs {name}: {steps[0]} && pytest -m needs" if steps else ""
