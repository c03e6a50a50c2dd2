"""A visitor of the app without a browser, who speaks a browser's protocol.

A browser holds one websocket, sends requests as ``BackMsg`` and gets the page as
``ForwardMsg``s, one for each element. Thirty browsers would load this machine more than the
server under test; thirty of these visitors cost next to nothing.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import streamlit  # noqa: F401  (its messages cannot be imported before it)
from streamlit.components.v2.bidi_component.main import _make_trigger_id as trigger_id
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

# A browser keeps long messages for some reruns, so that they need not be sent again.
MOST_REMEMBERED = 20


@dataclass
class Shown:
    """An element on the page and the fragment that it belongs to, if any."""

    element: Element
    fragment: str

    @property
    def content(self) -> Any:
        """The element's own message, such as its button."""
        return getattr(self.element, self.element.WhichOneof("type"))


@dataclass
class Visitor:
    """One visitor, made by ``arrive``.

    Attributes:
        shown: the page's elements, by their place on it.
        polls: the fragment that the page wants to be rerun, and every how many seconds; None
            if there is none.
        bytes_received: by the websocket so far.
        elements_received: elements and blocks so far.
        query: the parameters in the address.
    """

    socket: ClientConnection
    shown: dict[tuple[int, ...], Shown] = field(default_factory=dict)
    polls: tuple[str, float] | None = None
    bytes_received: int = 0
    elements_received: int = 0
    query: str = ""
    session: str = ""
    _page: str = ""
    # The id of the open dialog, and the fragment that it belongs to.
    _dialog: tuple[str, str] = ("", "")
    # The hash of each page that the menu knows, by its name.
    _pages: dict[str, str] = field(default_factory=dict)
    _values: dict[str, WidgetState] = field(default_factory=dict)
    _remembered: dict[str, ForwardMsg] = field(default_factory=dict)

    @classmethod
    async def arrive(cls, url: str, cookie: str = "") -> "Visitor":
        """Connect to the server at ``http://host:port``; opens no page yet.

        Args:
            cookie: the header that a browser would send.
        """
        address = url.replace("http", "ws", 1) + "/_stcore/stream"
        headers = {"Cookie": cookie} if cookie else {}
        return cls(await connect(address, additional_headers=headers, max_size=None))

    async def leave(self) -> None:
        """Close the page."""
        await self.socket.close()

    # --- what a person does ---

    async def go(self, page: str, query: str = "") -> float:
        """Open a page by its name, such as "draw"; empty for the overview.

        Returns:
            Seconds until the whole page had arrived. So do all methods below.
        """
        self.query, self._values = query, {}
        message = BackMsg()
        message.rerun_script.query_string = query
        # Present but empty: forgets the widgets of the page before.
        message.rerun_script.widget_states.SetInParent()
        if page in self._pages:
            message.rerun_script.page_script_hash = self._pages[page]
        else:
            message.rerun_script.page_name = page
        return await self._ask(message)

    async def press(self, label: str) -> float:
        """Press a button."""
        button = self.find("button", lambda content: content.label == label)
        state = WidgetState(id=button.content.id, trigger_value=True)
        return await self._rerun(button.fragment, state)

    async def send(self, name: str, **value: Any) -> float:
        """Set the widget whose key ends with ``name``.

        Args:
            value: one field of ``WidgetState``, such as ``string_value="4"``.
        """
        widget = self.find("", lambda content: getattr(content, "id", "").endswith(f"-{name}"))
        state = WidgetState(id=widget.content.id)
        for kind, content in value.items():
            if isinstance(content, list):
                getattr(state, kind).data.extend(content)
                # An empty choice differs from no choice.
                getattr(state, kind).SetInParent()
            else:
                setattr(state, kind, content)
        self._values[state.id] = state
        return await self._rerun(widget.fragment)

    async def trigger(self, name: str, **events: Any) -> float:
        """Send an event of the component whose key ends with ``name``, such as ``chosen=3``."""
        part = self.find("bidi_component", lambda content: content.id.endswith(f"-{name}"))
        told = [{"event": event, "value": value} for event, value in events.items()]
        state = WidgetState(
            id=trigger_id(part.content.id, "events"), json_trigger_value=json.dumps(told)
        )
        return await self._rerun(part.fragment, state)

    async def dismiss(self) -> float:
        """Close the open dialog."""
        dialog, fragment = self._dialog
        return await self._rerun(fragment, WidgetState(id=dialog, trigger_value=True))

    async def rerun(self) -> float:
        """Ask for the whole page again."""
        return await self._rerun("")

    async def poll(self) -> float:
        """The rerun that the page asked for."""
        assert self.polls
        return await self._rerun(self.polls[0], automatic=True)

    # --- what they see ---

    def find(self, kind: str, fits: Callable[[Any], bool] = lambda content: True) -> Shown:
        """The first element of a kind (empty: of any) that fits. Raises LookupError."""
        for shown in self.shown.values():
            if kind in ("", shown.element.WhichOneof("type")) and fits(shown.content):
                return shown
        raise LookupError(f"no such {kind or 'element'} on the page: {self.text()[:500]}")

    def text(self) -> str:
        """The words on the page, in order."""
        return "\n".join(
            text
            for _, shown in sorted(self.shown.items())
            for text in (getattr(shown.content, "label", ""), getattr(shown.content, "body", ""))
            if isinstance(text, str) and text
        )

    # --- the protocol ---

    async def _rerun(
        self, fragment: str, pressed: WidgetState | None = None, automatic: bool = False
    ) -> float:
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_script_hash = self.query, self._page
        state.fragment_id, state.is_auto_rerun = fragment, automatic
        state.widget_states.widgets.extend(self._values.values())
        if pressed:
            state.widget_states.widgets.append(pressed)
        state.cached_message_hashes.extend(self._remembered)
        return await self._ask(message)

    async def _ask(self, message: BackMsg) -> float:
        started = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        while not self._take(await self.socket.recv()):
            pass
        return time.perf_counter() - started

    def _take(self, data: str | bytes) -> bool:
        """Take one message from the server; True if it completes the page."""
        assert isinstance(data, bytes)
        self.bytes_received += len(data)
        message = ForwardMsg.FromString(data)
        kind = message.WhichOneof("type")
        if kind == "ref_hash":
            # It was sent before; only its place may have changed.
            known = self._remembered[message.ref_hash]
            known.metadata.CopyFrom(message.metadata)
            message, kind = known, known.WhichOneof("type")
        if message.metadata.cacheable:
            self._remembered[message.hash] = message
            while len(self._remembered) > MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
        if kind == "new_session":
            self._page = message.new_session.page_script_hash
            self.session = message.new_session.initialize.session_id
            parts = message.metadata.run.fragment_ids
            if not parts:
                self.shown, self.polls = {}, None
            self.shown = {at: part for at, part in self.shown.items() if part.fragment not in parts}
        elif kind == "navigation":
            # Tells the hash of a page that was opened by its name.
            self._page = message.navigation.page_script_hash
            self._pages = {
                "" if page.is_default else page.url_pathname: page.page_script_hash
                for page in message.navigation.app_pages
            }
        elif kind == "auto_rerun":
            self.polls = message.auto_rerun.fragment_id, message.auto_rerun.interval
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "delta":
            self._take_delta(message)
        elif kind == "script_finished":
            # A run that requested a rerun is followed by another.
            return message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN
        return False

    def _take_delta(self, message: ForwardMsg) -> None:
        self.elements_received += 1
        delta = message.delta
        if delta.WhichOneof("type") == "new_element":
            place = tuple(message.metadata.delta_path)
            self.shown[place] = Shown(delta.new_element, delta.fragment_id)
        elif delta.add_block.WhichOneof("type") == "dialog":
            self._dialog = delta.add_block.dialog.id, delta.fragment_id


def canvas_state(objects: list[dict[str, Any]], png: str) -> str:
    """What the canvas sends after a stroke.

    Args:
        objects: the strokes so far, in the canvas's format.
        png: the sheet, base64.
    """
    raw = {"version": "7.4.0", "objects": objects, "background": "#FFFFFF"}
    return json.dumps({"drawing": {"raw": raw, "data": f"data:image/png;base64,{png}"}})
