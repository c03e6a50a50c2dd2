"""served: large files that browsers fetch once and cache, instead of getting them in every page.

They lie in static/, which Streamlit serves to anybody: nothing of a visitor's belongs there.
"""

import threading
import uuid
from collections.abc import Callable
from pathlib import Path

STATIC = Path(__file__).parents[2] / "static"
ONE_WRITER_AT_A_TIME = threading.Lock()


def address(name: str, make: Callable[[], bytes]) -> str | None:
    """The address of a file, which is written first if missing; None if it cannot be written.

    Args:
        name: must change with the content, because browsers keep what they have.
        make: returns the content.
    """
    path = STATIC / name
    try:
        with ONE_WRITER_AT_A_TIME:
            if not path.is_file():
                path.parent.mkdir(exist_ok=True)
                # A unique name: another server in this folder may be writing the same file.
                partial = path.with_name(f"{name}.{uuid.uuid4().hex}.partial")
                try:
                    partial.write_bytes(make())
                    partial.replace(path)
                finally:
                    partial.unlink(missing_ok=True)
    except OSError:
        return None
    return f"app/static/{name}"
