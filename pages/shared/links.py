"""links: short addresses, such as ``/?go=AB3KD``, for a page with all that is chosen on it.

They are kept in the database, so that they outlive a restart and every server knows them; of all
of them and of what workers have computed, the newest 200.
"""

import hashlib
import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from mnist_core.store.tasks import TaskStore

PARAMETER = "go"
# Without letters and digits that look alike on a wall: 0 and O, 1, I and L, 2 and Z, 5 and S, 8
# and B, U and V.
ALPHABET = "34679ACDEFGHJKMNPQRTWXY"
SHORTEST, LONGEST = 5, 12
Query = Mapping[str, list[str]]
# Anybody may ask for a short address of a long one.
MOST_CHARACTERS = 2000


def shorten(store: TaskStore, page: str, query: Query) -> str:
    """The code of a page and its address parameters; always the same for the same.

    Args:
        page: empty for the overview.

    Raises:
        ValueError: they have more than 2,000 characters.
        StoreUnavailable: the database cannot keep it.
    """
    wanted = f"{page}?{urlencode(sorted(query.items()), doseq=True)}".encode()
    if len(wanted) > MOST_CHARACTERS:
        raise ValueError(f"Expected at most {MOST_CHARACTERS} characters, got {len(wanted)}.")
    number = int.from_bytes(hashlib.sha256(wanted).digest())
    code = ""
    while len(code) < LONGEST:
        number, place = divmod(number, len(ALPHABET))
        code += ALPHABET[place]
    # A longer one if somebody else's page has the same beginning.
    for length in range(SHORTEST, LONGEST + 1):
        known = store.find(_key(code[:length]))
        if known is None:
            store.keep(_key(code[:length]), wanted)
            break
        if known.result == wanted:
            break
    return code[:length]


def find(store: TaskStore, code: str) -> tuple[str, Query] | None:
    """The page and the address parameters of a code, in capitals or small letters; None if there
    is no such code, or no longer.

    Raises:
        StoreUnavailable: the database cannot be asked.
    """
    code = code.upper()
    if not (SHORTEST <= len(code) <= LONGEST and set(code) <= set(ALPHABET)):
        return None
    known = store.find(_key(code))
    if known is None or known.result is None:
        return None
    page, _, query = known.result.decode().partition("?")
    return page, parse_qs(query)


def _key(code: str) -> str:
    return f"address {code}"


def full(root: str, page: str, query: Query) -> str:
    """An address that anybody can type or open.

    Args:
        root: the app's, such as "http://192.168.1.20:8501".
        page: empty for the overview.
    """
    return f"{root}/{quote(page)}" + (f"?{urlencode(query, doseq=True)}" if query else "")


def is_local(host: str) -> bool:
    """Whether a name or an IP address means the computer that uses it."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return found.is_loopback or found.is_unspecified


def in_network(root: str) -> str | None:
    """The same address as other computers reach it; None if this one is in no network.

    Args:
        root: with a name of this computer that only itself understands, such as "localhost".
    """
    parts = urlsplit(root)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            # Sends nothing: it only asks which of this computer's addresses would be used.
            asking.connect(("192.0.2.1", 9))
            host = asking.getsockname()[0]
        except OSError:
            return None
    if is_local(host):
        return None
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"
