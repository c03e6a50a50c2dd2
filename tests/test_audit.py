"""CI's audit of the packages: what it finds fails, and what it cannot ask is said."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers import PROJECT

WELL = {"name": "rich", "version": "14.0", "vulns": []}
ILL = {
    "name": "pillow",
    "version": "1.0",
    "vulns": [{"id": "CVE-2099-1", "fix_versions": ["1.1"], "aliases": [], "description": ""}],
}
UNKNOWN = {"name": "rich", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture
def audit(tmp_path):
    """The audit with a service that answers this; its exit status and what it says."""

    def audit(dependencies: list | None, required: str = "") -> tuple[int, str]:
        answer = "" if dependencies is None else json.dumps({"dependencies": dependencies})
        (tmp_path / "pip_audit.py").write_text(
            f"import sys; print({answer!r}); print('no route to it', file=sys.stderr)\n"
            f"sys.exit({dependencies is None or ILL in dependencies})"
        )
        run = subprocess.run(
            [sys.executable, PROJECT / ".ci" / "audit.py", "packages.txt"],
            env=os.environ | {"PYTHONPATH": str(tmp_path), "MNIST_REQUIRE_AUDIT": required},
            capture_output=True,
            text=True,
        )
        assert run.stderr == ""
        return run.returncode, run.stdout

    return audit


def test_packages_without_vulnerabilities_pass(audit):
    assert audit([WELL]) == (0, "1 packages audited, 0 with known vulnerabilities.\n")


@pytest.mark.parametrize("others", [[], [WELL], [UNKNOWN]])
def test_a_vulnerability_fails_and_is_named(audit, others):
    status, text = audit([ILL, *others])
    assert status == 1
    assert "pillow 1.0: CVE-2099-1, fixed in 1.1" in text


@pytest.mark.parametrize("answer", [None, [], [UNKNOWN], [WELL, UNKNOWN]])
def test_an_audit_that_could_not_be_made_says_so_and_fails_where_it_is_required(audit, answer):
    status, text = audit(answer)
    assert status == 0
    assert text.startswith("The audit of the packages could not be made: ")
    assert text.count("\n") == 1
    assert audit(answer, required="1") == (1, text)
