"""entrance: what the server does before the first visitor, and what every document has."""

import asyncio
import signal
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from pages.server.document import Document

SHARED = Path(__file__).parents[1] / "shared"


class Entrance:
    """What ``st.App`` needs from us.

    Attributes:
        middleware: puts our style sheets into every document: that of presenter mode if its
            address asks for it. And names what the browser will need later.

    Args:
        load: imports what pages need, in a thread of its own, and gives the addresses of large
            files that they use; None for one that is not there.
    """

    def __init__(self, load: Callable[[], list[str | None]]) -> None:
        self._load = load
        self._later = ""
        self.middleware = [Middleware(Document, elements=self.elements)]
        self._first, self._look, self._presenter = (
            f'<style id="{name}">{(SHARED / f"{name}.css").read_text(encoding="utf-8")}</style>'
            for name in ("first", "look", "presenter")
        )

    def elements(self, query: dict[str, list[str]]) -> str:
        """HTML for the document whose address has these parameters."""
        presented = query.get("presenter") == ["on"]
        return self._first + self._look + self._presenter * presented + self._later

    @asynccontextmanager
    async def started(self, app: Any) -> AsyncIterator[None]:
        """While the server runs."""
        if not st.get_option("server.headless"):
            # Streamlit opens a browser only for apps that are a script alone.
            asyncio.get_running_loop().call_later(1, webbrowser.open, own_address())
        threading.Thread(target=self._load_files, name="load", daemon=True).start()
        yield
        if hasattr(signal, "pthread_sigmask"):
            # Once all is closed uvicorn sends itself the signal that ended it, this time to die of
            # it; the workers' end, which is due at the exit, would not come.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def _load_files(self) -> None:
        self._later = "".join(
            f'<link rel="prefetch" as="script" href="./{address}">'
            for address in self._load()
            if address
        )


def own_address() -> str:
    """Where a browser on this computer finds the app."""
    host = st.get_option("server.address")
    if host in (None, "", "0.0.0.0", "::"):
        host = "localhost"
    path = (st.get_option("server.baseUrlPath") or "").strip("/")
    return f"http://{host}:{st.get_option('server.port')}/{path}"
