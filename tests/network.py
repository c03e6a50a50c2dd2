"""A network between a program and a database that can be cut."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Network:
    """Forwards a port of this machine to another one.

    Attributes:
        port: where a program connects instead of the server's own port.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.port: int = self._listener.getsockname()[1]
        self._whole = threading.Event()
        self._whole.set()
        self._over = False
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True, name="network").start()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Let nothing arrive on either side during the block, without an error.

        Data in flight is lost, and new connections get no answer. Afterwards the old
        connections are dead, as if TCP had given them up, and new ones work.
        """
        self._whole.clear()
        try:
            yield
        finally:
            self._break()
            self._whole.set()

    def close(self) -> None:
        """Stop forwarding."""
        self._over = True
        self._listener.close()
        self._break()

    def _break(self) -> None:
        for end in self._ends:
            # The other side may have gone already.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def _accept(self) -> None:
        while not self._over:
            # While it is cut a caller gets no answer, as if its packets were lost.
            self._whole.wait()
            try:
                caller, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                caller.close()
                continue
            self._ends += [caller, server]
            for ends in ((caller, server), (server, caller)):
                threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self._whole.is_set():
                    target.sendall(data)
        # One side hung up, so the other is told, but not while the network is cut.
        self._whole.wait()
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
        source.close()
