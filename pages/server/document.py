"""document: puts elements of ours into the document that a browser loads first.

Streamlit sends styles as parts of a page, which arrive after its first parts were painted, and
what is on the screen jumps. In the document they are in force from the start.
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

# Not in the head, where Streamlit's own styles would come later and win.
END = b"</body>"
# What answers say of the document as it is without our elements.
OF_THE_FILE = {b"content-length", b"etag", b"last-modified"}
# What makes an answer empty, compressed or a part.
CONDITIONS = {b"if-none-match", b"if-modified-since", b"accept-encoding", b"range"}

Headers = Iterable[tuple[bytes, bytes]]


class Document:
    """ASGI middleware: adds elements at the end of every HTML document.

    Args:
        app: the application behind it.
        elements: HTML, from the parameters of the document's address.
    """

    def __init__(self, app: Any, elements: Callable[[dict[str, list[str]]], str]) -> None:
        self._app = app
        self._elements = elements

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers: list[tuple[bytes, bytes]] = scope.get("headers", [])
        wanted = any(name == b"accept" and b"text/html" in value for name, value in headers)
        if scope["type"] != "http" or scope["method"] != "GET" or not wanted:
            await self._app(scope, receive, send)
            return
        query = parse_qs(scope["query_string"].decode("latin-1"))
        answer = Answer(send, self._elements(query).encode())
        kept = [(name, value) for name, value in headers if name not in CONDITIONS]
        await self._app({**scope, "headers": kept}, receive, answer.send)


class Answer:
    """One answer: collected if it is HTML, otherwise passed on as it comes."""

    def __init__(self, send: Any, elements: bytes) -> None:
        self._send = send
        self._elements = elements
        self._start: dict[str, Any] | None = None
        self._body = b""

    async def send(self, message: dict[str, Any]) -> None:
        """Takes the messages of the application."""
        if message["type"] == "http.response.start" and is_html(message["headers"]):
            self._start = message
        elif message["type"] == "http.response.body" and self._start:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._send_whole(self._start)
        else:
            await self._send(message)

    async def _send_whole(self, start: dict[str, Any]) -> None:
        body = self._body.replace(END, self._elements + END, 1)
        headers = [pair for pair in start["headers"] if pair[0].lower() not in OF_THE_FILE]
        headers.append((b"content-length", str(len(body)).encode()))
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def is_html(headers: Headers) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/html")
        for name, value in headers
    )
