"""messages: what a browser may ask of the server, and how often.

Streamlit does whatever any connection tells it: it runs the page again a thousand times a
second, or empties the caches of all visitors. So messages are looked at before it sees them.
"""

import asyncio
from typing import Any

from mnist_core.rates import Rate, Rates

# A live chart asks five times a second, and a person beside it a few times more.
RATE = Rate(20, 2)
# The others empty caches, read the repository and watch files: the developers' menu.
WELCOME = {
    "rerun_script",
    "stop_script",
    "app_heartbeat",
    "file_urls_request",
    "backend_operation_request",
}


class Gate:
    """Stands before ``Runtime.handle_backmsg``, and is called as that is, on its thread."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._rates = Rates()
        # The last message of each session that came too early.
        self._postponed: dict[str, tuple[Any, Any]] = {}

    def __call__(self, session_id: str, message: Any, *, client: Any = None) -> None:
        kind = message.WhichOneof("type")
        if kind not in WELCOME:
            return
        if kind == "app_heartbeat":
            self._handle(session_id, message, client=client)
        elif session_id in self._postponed:
            self._postpone(session_id, message, client)
        elif wait := self._rates.count({session_id: RATE}):
            self._postpone(session_id, message, client)
            if session_id in self._postponed:
                asyncio.get_running_loop().call_later(wait, self._deliver, session_id)
        else:
            self._handle(session_id, message, client=client)

    def _postpone(self, session_id: str, message: Any, client: Any) -> None:
        """Of many the last counts, for it says how all widgets stand. What no hand caused, such
        as the look at a live chart, comes again by itself."""
        if not message.rerun_script.is_auto_rerun:
            self._postponed[session_id] = (message, client)

    def _deliver(self, session_id: str) -> None:
        message, client = self._postponed.pop(session_id)
        self(session_id, message, client=client)


def guard(runtime: Any) -> None:
    """Put a gate before this process's runtime, unless there is one."""
    if not isinstance(runtime.handle_backmsg, Gate):
        runtime.handle_backmsg = Gate(runtime.handle_backmsg)


if __name__ == "__main__":
    # Somebody opened /messages, which Streamlit takes for a page before the dashboard ran.
    import streamlit as st

    st.switch_page("dashboard.py")
