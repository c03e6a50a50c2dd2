"""messages: what a browser may ask of the server, and how often.

Streamlit obeys any connection: it reruns the page a thousand times a second, or clears
everybody's caches. So each message passes a gate first. One that comes too early is delayed,
not dropped.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests

from pages.server.rates import Rate, Rates

# A live chart asks five times a second, and a person clicks a few times more.
RATE = Rate(20, 2)
# The other kinds serve the developers' menu: clear caches, read the repository, watch files.
WELCOME = {
    "rerun_script",
    "stop_script",
    "app_heartbeat",
    "file_urls_request",
    "backend_operation_request",
}
# The most that may wait for each session, so that a flood does not fill the memory. No page
# of ours comes near it.
MOST_WAITING, MOST_WAITING_BYTES = 20, 2_000_000

Waiting = list[tuple[BackMsg, Any]]


def call_later(seconds: float, function: Callable[..., None], *arguments: Any) -> None:
    asyncio.get_running_loop().call_later(seconds, function, *arguments)


class Gate:
    """Replaces ``Runtime.handle_backmsg``: same arguments, same thread.

    Args:
        handle: takes each message when it is due.
        rates: counts the messages of each session.
        later: calls a function after a number of seconds.
    """

    def __init__(
        self,
        handle: Callable[..., None],
        rates: Rates | None = None,
        later: Callable[..., None] = call_later,
    ) -> None:
        self.handle = handle
        # For each session the messages that came too early, in order of delivery.
        self.waiting: dict[str, Waiting] = {}
        self._rates = Rates() if rates is None else rates
        self._later = later

    def __call__(self, session_id: str, message: BackMsg, *, client: Any = None) -> None:
        kind = message.WhichOneof("type")
        if kind not in WELCOME:
            return
        if kind == "app_heartbeat":
            self.handle(session_id, message, client=client)
        elif session_id in self.waiting:
            add(self.waiting[session_id], message, client)
        elif wait := self._rates.count({session_id: RATE}):
            waiting: Waiting = []
            add(waiting, message, client)
            if waiting:
                self.waiting[session_id] = waiting
                self._later(wait, self._deliver, session_id)
        else:
            self.handle(session_id, message, client=client)

    def _deliver(self, session_id: str) -> None:
        """Pass on delayed messages as far as the rate allows."""
        waiting = self.waiting[session_id]
        wait = 0.0
        try:
            while waiting and not (wait := self._rates.count({session_id: RATE})):
                message, client = waiting.pop(0)
                self.handle(session_id, message, client=client)
        finally:
            if waiting:
                self._later(wait, self._deliver, session_id)
            else:
                del self.waiting[session_id]


def add(waiting: Waiting, message: BackMsg, client: Any) -> None:
    """Append a message to those that wait.

    Reruns merge into one, at the place of the newest: given two at the same moment, Streamlit
    can lose the first, with the click in it. Other messages keep their order.
    """
    kind = message.WhichOneof("type")
    if kind == "rerun_script" and message.rerun_script.is_auto_rerun:
        # Nobody clicked: a live chart asks, and will ask again.
        return
    if kind in ("rerun_script", "stop_script"):
        for place, (earlier, _) in enumerate(waiting):
            if earlier.WhichOneof("type") == kind:
                del waiting[place]
                message = merged(earlier, message)
                break
    elif len(waiting) >= MOST_WAITING or (
        sum(other.ByteSize() for other, _ in waiting) + message.ByteSize() > MOST_WAITING_BYTES
    ):
        return
    waiting.append((message, client))


def merged(earlier: BackMsg, later: BackMsg) -> BackMsg:
    """One message with the effect of both: the later values of widgets and the clicks of both,
    as Streamlit merges reruns itself."""
    if later.WhichOneof("type") != "rerun_script":
        return later
    requests = ScriptRequests()
    for state in (earlier.rerun_script, later.rerun_script):
        requests.request_rerun(
            RerunData(
                widget_states=state.widget_states,
                fragment_id=state.fragment_id or None,
                is_history_navigation=state.is_history_navigation,
                is_auto_rerun=state.is_auto_rerun,
            )
        )
    both = requests.on_scriptrunner_ready().rerun_data
    message = BackMsg()
    message.CopyFrom(later)
    if both.widget_states is not None:
        message.rerun_script.widget_states.CopyFrom(both.widget_states)
    # A message can name only one fragment; for two, the whole page is rerun.
    fragments = both.fragment_id_queue
    message.rerun_script.fragment_id = fragments[0] if len(fragments) == 1 else ""
    message.rerun_script.is_history_navigation = both.is_history_navigation
    # Only a program clicks thousands of buttons that no page has.
    return message if message.ByteSize() <= MOST_WAITING_BYTES else later


def guard(runtime: Any) -> None:
    """Put a gate before this process's runtime, unless there is one."""
    if not isinstance(runtime.handle_backmsg, Gate):
        runtime.handle_backmsg = Gate(runtime.handle_backmsg)
