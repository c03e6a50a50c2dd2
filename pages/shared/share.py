"""share: what a teacher sees, for students: a QR code, and an address short enough to type."""

import html
from pathlib import Path
from urllib.parse import urlsplit

import segno
import streamlit as st

from mnist_core.errors import UserError
from pages.server import limits
from pages.server.rates import SHARE
from pages.shared import cache, links, presenter
from pages.shared.visitor import this_visitor

STYLE = Path(__file__).parent / "share.css"


def panel() -> None:
    """What a class needs to open this page, with what is chosen on it, outside presenter mode."""
    root = root_for_others()
    if root is None:
        return
    address = address_of_this_page(root)
    st.html(STYLE)
    picture = segno.make(address, error="m").svg_data_uri(border=4, light="#fff")
    without_scheme = address.removeprefix("https://").removeprefix("http://")
    st.html(
        f'<div class="share"><img src="{picture}" alt="QR code of the address below">'
        f"<p>{html.escape(without_scheme)}</p></div>"
    )
    if links.is_local(urlsplit(root_here()).hostname or ""):
        st.write("For everyone who is in the same network as this computer.")


def parameters() -> dict[str, list[str]]:
    """The parameters of this page's address: all values of each, for there may be several."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def root_here() -> str:
    """The app's address in this visitor's browser, without the page."""
    page = st.session_state["page"]
    url = (st.context.url or f"http://localhost:{st.get_option('server.port')}").rstrip("/")
    return url.removesuffix(f"/{page}") if page else url


def root_for_others() -> str | None:
    """The app's address for other computers; None, with a sentence on what to do, if there is
    none."""
    here = root_here()
    if not links.is_local(urlsplit(here).hostname or ""):
        return here
    listens_on = st.get_option("server.address")
    if listens_on and links.is_local(listens_on) and listens_on != "0.0.0.0":
        st.warning(
            "Other devices cannot reach this app, which listens to this computer only; restart it "
            "with `--server.address=0.0.0.0`.",
            icon=":material/wifi_off:",
        )
        return None
    if found := links.in_network(here):
        return found
    st.warning(
        "This computer is in no network; connect it to the one that the students' devices are in, "
        "and press Share again.",
        icon=":material/wifi_off:",
    )
    return None


def address_of_this_page(root: str) -> str:
    """The shortest address that shows others what this visitor sees."""
    page = st.session_state["page"]
    query = parameters()
    query.pop(presenter.PARAMETER, None)
    if not query:
        return links.full(root, page, {})
    try:
        with limits.counted(SHARE, this_visitor(remember=False)):
            code = links.shorten(cache.tasks(), page, query)
    except (UserError, ValueError):
        # A long address is harder to type but leads to the same page.
        return links.full(root, page, query)
    return links.full(root, "", {links.PARAMETER: [code]})
