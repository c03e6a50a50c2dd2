"""served: files that browsers fetch by themselves, and keep, instead of being sent them anew.

They lie in static/, which Streamlit serves. Everybody can read them, so nothing of a
visitor's belongs there.
"""

import threading
import uuid
from collections.abc import Callable
from pathlib import Path

STATIC = Path(__file__).parents[2] / "static"
ONE_WRITER_AT_A_TIME = threading.Lock()


def address(name: str, make: Callable[[], bytes]) -> str | None:
    """The address of a file, made if it is not there; None where it cannot be written.

    Args:
        name: another content is to have another name, for browsers keep what they have.
        make: gives its content.
    """
    path = STATIC / name
    try:
        with ONE_WRITER_AT_A_TIME:
            if not path.is_file():
                path.parent.mkdir(exist_ok=True)
                # Of a name of its own: another server in the same folder may write the same file.
                partial = path.with_name(f"{name}.{uuid.uuid4().hex}.partial")
                try:
                    partial.write_bytes(make())
                    partial.replace(path)
                finally:
                    partial.unlink(missing_ok=True)
    except OSError:
        return None
    return f"app/static/{name}"
