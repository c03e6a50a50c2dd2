"""uploads: uploaded files take no more of the memory than everybody has room for.

Streamlit keeps every file that is sent to its upload address, under any name and as often
as somebody likes, until their session ends, and asks only that each is small. So what it
keeps is counted here before one more is taken in.
"""

import threading
from typing import Any

from starlette.exceptions import HTTPException
from streamlit.runtime.scriptrunner import get_script_run_ctx

# In bytes: of one session, which has two or three photographs at most, and of all.
MOST_EACH, MOST_ALL = 20_000_000, 100_000_000
# So that a million empty files are too many as well.
LEAST = 10_000


class Counted:
    """Stands before ``add_file`` of the runtime's manager of files, and is called as that is."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._add_file = manager.add_file
        self._lock = threading.Lock()

    def __call__(self, session_id: str, file: Any) -> None:
        with self._lock:
            kept = {owner: dict(files) for owner, files in list(self._manager.file_storage.items())}
            # Sent again under its old name a file takes the place of the one before.
            kept.get(session_id, {}).pop(file.file_id, None)
            of_session = sum(map(size, kept.get(session_id, {}).values()))
            of_all = sum(size(other) for files in kept.values() for other in files.values())
            if of_session + size(file) > MOST_EACH:
                raise HTTPException(413, "You sent many files; reload the page and send fewer.")
            if of_all + size(file) > MOST_ALL:
                raise HTTPException(413, "Too many people send files; try again in a minute.")
            self._add_file(session_id, file)


def guard(runtime: Any) -> None:
    """From now on this process refuses files for which there is no room."""
    manager = runtime.uploaded_file_mgr
    if not isinstance(manager.add_file, Counted):
        manager.add_file = Counted(manager)


def size(file: Any) -> int:
    """What a file counts; its name and type are a stranger's too, and may be long."""
    return max(LEAST, len(file.data) + len(file.name) + len(file.type))


def forget(file: Any) -> None:
    """Give the room of an uploaded file back, once it was read."""
    context = get_script_run_ctx()
    if context:
        manager: Any = context.uploaded_file_mgr
        manager.remove_file(context.session_id, file.file_id)
