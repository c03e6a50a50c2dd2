"""Stranger: whoever speaks Streamlit's protocol by hand, and sends what no page of ours would."""

import http.client
import json
import uuid
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.browser.server import Server


class Stranger:
    """One connection to the server, which is one session there."""

    def __init__(self, server: Server, **headers: str) -> None:
        self.server = server
        self.session_id = ""
        self.widgets: dict[str, str] = {}  # by key or label
        self.elements: list[Any] = []
        self.kinds: set[str] = set()
        self.query, self._page = "", ""
        self._socket: ClientConnection = connect(
            f"ws://127.0.0.1:{server.port}/_stcore/stream",
            subprotocols=["streamlit"],
            legacy=True,
            additional_headers=headers,
            max_size=None,
        )
        self._again = False

    def __enter__(self) -> "Stranger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def open(self, page: str = "overview", **query: str) -> "Stranger":
        """Open an address, and wait until the page is there."""
        self.query = "&".join(f"{key}={value}" for key, value in {"goto": page, **query}.items())
        self._page = ""
        return self.rerun()

    def send(self, message: BackMsg | bytes | str) -> None:
        self._socket.send(message.SerializeToString() if isinstance(message, BackMsg) else message)

    def message(self, *states: WidgetState) -> BackMsg:
        """What a browser sends when widgets have changed."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_script_hash = self._page
        for state in states:
            message.rerun_script.widget_states.widgets.add().CopyFrom(state)
        return message

    def rerun(self, *states: WidgetState) -> "Stranger":
        """Send widgets' values, and wait until the page has run to its end."""
        self.send(self.message(*states))
        return self.wait()

    def wait(self, timeout: float = 30) -> "Stranger":
        """Until the page has run to its end."""
        self.elements = []
        while True:
            if self.receive(timeout).WhichOneof("type") == "script_finished":
                if self._again:
                    continue
                return self

    def receive(self, timeout: float = 30) -> ForwardMsg:
        """The next message of the server."""
        data = self._socket.recv(timeout)
        assert isinstance(data, bytes)
        message = ForwardMsg.FromString(data)
        kind = str(message.WhichOneof("type"))
        self.kinds.add(kind)
        if kind == "new_session":
            self._page = message.new_session.page_script_hash
            self.session_id = message.new_session.initialize.session_id
            self.elements = []
            self._again = False
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._remember(message.delta.new_element)
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "script_finished":
            # A page that sends on to another is run once more, at once.
            self._again = message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN
        return message

    def receive_all(self, timeout: float, after: bytes | str | None = None) -> None:
        """Until the server hangs up, or is silent for so many seconds.

        Args:
            after: what to send first; the server may hang up while it is sent.
        """
        if after is not None:
            self.send(after)
        while True:
            self.receive(timeout)

    def _remember(self, element: Any) -> None:
        self.elements.append(element)
        part = getattr(element, element.WhichOneof("type"))
        if widget_id := getattr(part, "id", ""):
            for name in (getattr(part, "label", ""), widget_id.split("-", 2)[-1]):
                self.widgets[name] = widget_id

    def texts(self) -> str:
        """All that stands on the page, as one text."""
        return "\n".join(str(element) for element in self.elements)

    def put(self, content: bytes, name: str | None = None, file: str = "a.png") -> int:
        """Send a file as an uploader does; the answer's status."""
        line = "a" * 20
        body = (
            f'--{line}\r\nContent-Disposition: form-data; name="x"; filename="{file}"\r\n'
            "Content-Type: image/png\r\n\r\n"
        ).encode()
        body += content + f"\r\n--{line}--\r\n".encode()
        path = f"/_stcore/upload_file/{self.session_id}/{name or uuid.uuid4()}"
        return self.request("PUT", path, body, f"multipart/form-data; boundary={line}")

    def request(self, method: str, path: str, body: bytes = b"", kind: str = "text/plain") -> int:
        """Any request, with the token against forgery that every browser is given; its status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            connection.request("GET", "/_stcore/health")
            first = connection.getresponse()
            first.read()
            cookie = (first.getheader("Set-Cookie") or "").split(";")[0]
            headers = {"Content-Type": kind, "Cookie": cookie}
            if "=" in cookie:
                headers["X-Xsrftoken"] = cookie.split("=", 1)[1].strip('"')
            connection.request(method, path, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()


def state(widget_id: str, **value: Any) -> WidgetState:
    """A widget's value, such as ``int_value=3``."""
    made = WidgetState(id=widget_id)
    for field, content in value.items():
        if field == "json":
            made.json_value = content if isinstance(content, str) else json.dumps(content)
        elif field == "events":
            made.json_trigger_value = content if isinstance(content, str) else json.dumps(content)
        elif isinstance(content, list):
            getattr(made, field).data.extend(content)
        else:
            setattr(made, field, content)
    return made


__all__ = ["BackMsg", "ConnectionClosed", "Stranger", "state"]
