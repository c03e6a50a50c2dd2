"""Ask whether any installed package has a known vulnerability: ``python .ci/audit.py LIST``.

LIST holds the packages as ``pip list --format=freeze`` writes them. A vulnerability fails. If
pypi.org cannot be reached, the output says so, and with MNIST_REQUIRE_AUDIT=1 that fails too.
"""

import json
import os
import subprocess
import sys

SECONDS_AN_ANSWER = "15"
SECONDS_IN_ALL = 240


def ask(packages: str) -> list[dict]:
    """What pypi.org says about each package.

    Raises:
        RuntimeError: it could not be asked.
    """
    command = [sys.executable, "-m", "pip_audit", "--requirement", packages, "--no-deps"]
    command += ["--disable-pip", "--format=json", "--progress-spinner=off"]
    command += [f"--timeout={SECONDS_AN_ANSWER}"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_IN_ALL)
        found: list[dict] = json.loads(asked.stdout)["dependencies"]
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"no answer within {SECONDS_IN_ALL} s") from error
    except ValueError as error:
        last = (asked.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise RuntimeError(last) from error
    return found


def main(packages: str) -> int:
    """Ask, say what was found, and return the exit status."""
    required = os.environ.get("MNIST_REQUIRE_AUDIT") == "1"
    try:
        found = ask(packages)
        unknown = [package for package in found if "skip_reason" in package]
        reason = f"{len(unknown)} of {len(found)} packages are unknown to the service that answered"
    except RuntimeError as error:
        found, unknown, reason = [], [], str(error)
    vulnerable = [package for package in found if package.get("vulns")]
    for package in vulnerable:
        for vulnerability in package["vulns"]:
            fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
            name = f"{package['name']} {package['version']}"
            print(f"{name}: {vulnerability['id']}, fixed in {fixed}")
    if unknown or not found:
        print(f"The audit of the packages could not be made: {reason}.")
    else:
        print(f"{len(found)} packages audited, {len(vulnerable)} with known vulnerabilities.")
    return int(bool(vulnerable) or (required and (bool(unknown) or not found)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
