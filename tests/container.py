"""The Dockerfile, read without Docker: its instructions, and the files it copies."""

import re
import shutil
from pathlib import Path

from tests.helpers import PROJECT


def instructions(name: str) -> list[str]:
    """The arguments of each instruction with this name, with continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (PROJECT / "Dockerfile").read_text())
    return re.findall(rf"^{name} (.*)$", text, re.MULTILINE)


def copies() -> list[tuple[str, str]]:
    """Each file or folder that is copied, and its place in the app's folder."""
    pairs = []
    for instruction in instructions("COPY"):
        *sources, target = instruction.split()
        pairs += [
            (source, f"{target}{Path(source).name}" if target.endswith("/") else target)
            for source in sources
        ]
    return pairs


def build(folder: Path) -> Path:
    """Make the app's folder as it is in the container."""
    for source, target in copies():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        if (PROJECT / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT / source, folder / target, ignore=ignored)
        else:
            shutil.copy(PROJECT / source, folder / target)
    return folder
