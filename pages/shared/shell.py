"""The shell around every page: how it is entered, and how errors become one sentence."""

import functools
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import streamlit as st
from streamlit import runtime

from mnist_core.config import ADDRESS_FIELDS
from mnist_core.errors import UserError
from mnist_core.store import engine
from pages.server import host, messages, uploads
from pages.server.turnstile import turn
from pages.shared import cache, links, presenter, share

log = logging.getLogger("pages")

HERE = Path(__file__).parent
STYLE = HERE / "look.css"
# In the browser's tab, after the name of the page.
TITLE = "Watch a network learn to read"
# The pages in the order of the menu, with the icons of links to them.
ICONS = {
    "overview": ":material/home:",
    "explore": ":material/grid_view:",
    "train": ":material/model_training:",
    "sweep": ":material/tune:",
    "compare": ":material/compare_arrows:",
    "evaluate": ":material/grid_on:",
    "draw": ":material/draw:",
    "classroom": ":material/groups:",
}
# The address parameters that each page reads; presenter mode is every page's.
PARAMETERS: dict[str, set[str]] = {
    "overview": set(),
    "explore": {
        "show", "split", "count", "seed", "digits", "method", "image", "run", "beside",
    },
    "train": {"run", "preset", *ADDRESS_FIELDS},
    "sweep": {"sweep"},
    "compare": {"run", "runs", "sort", "turned"},
    "evaluate": {
        "run", "view", "true", "predicted", "numbers", "mistakes", "order", "which", "image",
        "beside",
    },
    "draw": {"run", "beside", "look"},
    "classroom": set(),
}  # fmt: skip

_document = st.components.v2.component("document", js=(HERE / "document.js").read_text())


def enter(pages: Mapping[str, Any]) -> None:
    """Show the page the address asks for, or one sentence if it cannot be shown."""
    host.greet()
    st.session_state["shell"] = True
    # Nothing of ours runs before the first visit; later calls find these in place.
    uploads.guard(runtime.get_instance())
    messages.guard(runtime.get_instance())
    page = st.navigation([*pages.values(), *_unknown_page(pages)], position="top")
    name = next((name for name, known in pages.items() if known == page), "")
    st.set_page_config(page_title=TITLE if page == pages["overview"] else f"{page.title} · {TITLE}")
    if (goto := st.query_params.pop("goto", "")) in pages:
        st.switch_page(pages[goto], query_params=share.parameters())
    # Widgets lose their values when their page is left, so pages need to know of an arrival.
    st.session_state["arrived"] = st.session_state.get("page") != page.url_path
    st.session_state["page"] = page.url_path
    # Also in the document (pages/server/entrance.py), unless a host starts this script by itself.
    st.html(STYLE)
    with show_errors(), turn():
        follow_short_address(pages)
        drop_unknown_parameters(PARAMETERS.get(name, set()))
        check_address(presenter=presenter.is_value)
        presenter.enter(_share)
        if engine.was_replaced(engine.database_url()):
            st.warning(
                "The database file was moved or deleted while the app was running, so its runs "
                "are missing here; new runs are stored in a new file.",
                icon=":material/database:",
            )
        page.run()
        _document(data={"presenting": presenter.is_on()}, key="document")


def _unknown_page(pages: Mapping[str, Any]) -> list[Any]:
    """A page for the address in the browser, if it is none of ours; Streamlit would show the
    overview under it, with a message about the developer's files."""
    path = unquote(urlsplit(st.context.url or "").path).strip("/").rpartition("/")[2].strip()
    if not path or path in pages:
        return []

    def show() -> None:
        st.title("Page not found")
        st.write("There is no page at this address. Choose one in the menu, or start from the top.")
        st.page_link(pages["overview"], label="Go to the overview", icon=ICONS["overview"])

    return [st.Page(show, title="Page not found", url_path=path, visibility="hidden")]


def guard(name: str) -> None:
    """First line of every page: enter through dashboard.py.

    On a fresh server Streamlit runs a page whose address was opened directly without the
    dashboard around it, and then shows the wrong menu.
    """
    if "shell" not in st.session_state:
        st.switch_page("dashboard.py", query_params={**share.parameters(), "goto": [name]})


def follow_short_address(pages: Mapping[str, Any]) -> None:
    """Go to the page that an address such as ``/?go=AB3KD`` stands for."""
    code = st.query_params.pop(links.PARAMETER, "")
    if not code:
        return
    found = links.find(cache.tasks(), code)
    name, query = found or ("", {})
    if found and (name or "overview") in pages:
        st.switch_page(pages[name or "overview"], query_params=query)
    st.warning(
        "This short address leads nowhere, or no longer; ask for a new one.",
        icon=":material/link_off:",
    )


def drop_unknown_parameters(known: set[str]) -> None:
    """Remove address parameters that this page does not read, such as another page's."""
    for name in st.query_params.keys() - known - {presenter.PARAMETER}:
        del st.query_params[name]


def check_address(**possible: Callable[[str], bool]) -> None:
    """Remove invalid address parameters before widgets read them, and say so.

    Args:
        possible: for each parameter of the page, whether a text is a valid value.
    """
    invalid = [
        name
        for name, is_valid in possible.items()
        if not all(is_valid(text) for text in st.query_params.get_all(name))
    ]
    for name in invalid:
        del st.query_params[name]
    if invalid:
        st.warning(
            f"The link has invalid values ({', '.join(invalid)}); defaults are used.",
            icon=":material/link_off:",
        )


def is_number(text: str, most: int) -> bool:
    """Whether an address parameter is a whole number from 0 to ``most``."""
    return text.isdecimal() and len(text) <= len(str(most)) and int(text) <= most


def is_place(value: object, count: int) -> bool:
    """Whether what a browser sent is a whole number from 0 to ``count`` - 1."""
    return type(value) is int and 0 <= value < count


@contextmanager
def show_errors() -> Iterator[None]:
    """Turn anything that goes wrong inside into one sentence on the page."""
    try:
        yield
    except UserError as error:
        st.error(str(error), icon=":material/error:")
    except Exception:
        log.exception("page failed")
        st.error(
            "Something went wrong on this page. Reload it; if it happens again, see the "
            "server's log.",
            icon=":material/error:",
        )


def guarded(function: Callable[..., object]) -> Callable[..., None]:
    """The function, with its errors shown as one sentence on the page."""

    @functools.wraps(function)
    def wrapped(*arguments: Any) -> None:
        with show_errors():
            function(*arguments)

    return wrapped


_share = st.dialog("Open this page on your own device", width="large")(guarded(share.panel))


def button(
    label: str, icon: str, action: Callable[..., object], *arguments: Any, **more: Any
) -> None:
    """A button that calls an action, with its errors shown as one sentence."""
    icon = f":material/{icon}:"
    st.button(label, icon=icon, on_click=guarded(action), args=arguments, **more)


@contextmanager
def reserved(name: str, pixels: int) -> Iterator[None]:
    """A place that is at least this high from the start: nothing below it jumps when its content
    arrives, which may be later than everything else. Streamlit loads the code for HTML, charts
    and our styles only when the first of them is to be shown.

    Args:
        name: a different one for each on a page.
    """
    with st.container(horizontal=True, gap=None):
        content = st.container()
        with st.container(key=f"reserved_{name}", width=1):
            st.space(pixels)
    with content:
        yield


def fragment(function: Callable[..., None], run_every: float | None = None) -> Callable[..., None]:
    """A part of a page that reruns alone, with its errors shown as one sentence.

    Args:
        run_every: seconds between automatic reruns. A text such as "2s" would make Streamlit
            load pandas: 45 MB of the server's memory.
    """

    @functools.wraps(function)
    def in_turn(*arguments: Any) -> None:
        with turn():
            function(*arguments)

    return st.fragment(guarded(in_turn), run_every=run_every)
