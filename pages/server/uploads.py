"""uploads: bounds the memory that uploaded files take.

Streamlit keeps every file sent to its upload address until the session ends, under any name
and as many as somebody sends; it limits only the size of each. So what it keeps is added up
here before another file is accepted.
"""

import threading
from typing import Any

from starlette.exceptions import HTTPException
from streamlit.runtime.scriptrunner import get_script_run_ctx

# Bytes: for one session, which needs two or three photographs, and for all together.
MOST_EACH, MOST_ALL = 20_000_000, 100_000_000
# The least that a file counts, so that a million empty ones are too many as well.
LEAST = 10_000


class Counted:
    """Replaces ``add_file`` of the runtime's file manager."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._add_file = manager.add_file
        self._lock = threading.Lock()

    def __call__(self, session_id: str, file: Any) -> None:
        with self._lock:
            kept = {owner: dict(files) for owner, files in list(self._manager.file_storage.items())}
            # A file sent again replaces the one before.
            kept.get(session_id, {}).pop(file.file_id, None)
            totals = {owner: sum(map(size, files.values())) for owner, files in kept.items()}
            if totals.get(session_id, 0) + size(file) > MOST_EACH:
                raise HTTPException(413, "You sent many files; reload the page and send fewer.")
            if sum(totals.values()) + size(file) > MOST_ALL:
                raise HTTPException(413, "Too many people send files; try again in a minute.")
            self._add_file(session_id, file)


def guard(runtime: Any) -> None:
    """Make this process refuse files for which there is no room."""
    manager = runtime.uploaded_file_mgr
    if not isinstance(manager.add_file, Counted):
        manager.add_file = Counted(manager)


def size(file: Any) -> int:
    """Bytes that a file counts, including its name and type: a stranger may make them long."""
    return max(LEAST, len(file.data) + len(file.name) + len(file.type))


def forget(file: Any) -> None:
    """Free the room of an uploaded file that has been read."""
    context = get_script_run_ctx()
    if context:
        manager: Any = context.uploaded_file_mgr
        manager.remove_file(context.session_id, file.file_id)
