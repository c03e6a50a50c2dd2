"""The network that tests cut behaves as one of cables."""

import socket
import threading

import pytest

from tests.network import Network


@pytest.fixture
def network():
    """Leads to somebody who repeats what is said."""
    listener = socket.create_server(("127.0.0.1", 0))

    def repeat(caller):
        with caller:
            while data := caller.recv(100):
                caller.sendall(data)

    def serve():
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=repeat, args=(caller,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    between = Network(listener.getsockname()[1])
    yield between
    between.close()
    listener.close()


def call(network):
    caller = socket.create_connection(("127.0.0.1", network.port))
    caller.settimeout(0.3)
    return caller


def test_what_is_said_arrives(network):
    with call(network) as caller:
        caller.sendall(b"hello")
        assert caller.recv(100) == b"hello"


def test_while_it_is_cut_nobody_is_told_and_nothing_arrives_later(network):
    with call(network) as caller:
        caller.sendall(b"hello")
        assert caller.recv(100) == b"hello"
        with network.cut():
            caller.sendall(b"lost")
            with pytest.raises(TimeoutError):
                caller.recv(100)
            with call(network) as late:
                late.sendall(b"lost")
                with pytest.raises(TimeoutError):
                    late.recv(100)
        caller.settimeout(5)
        assert caller.recv(100) == b""


def test_afterwards_one_can_call_again(network):
    with network.cut():
        pass
    with call(network) as caller:
        caller.settimeout(5)
        caller.sendall(b"again")
        assert caller.recv(100) == b"again"
