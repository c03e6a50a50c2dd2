"""What several pages have: a line on the data shown, downloads, links, and the one next step."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from mnist_core import data
from mnist_core.errors import DownloadFailed, StoreUnavailable
from mnist_core.store.queue import DONE
from mnist_core.store.run import FAILED
from pages.shared import presenter
from pages.shared.cache import dataset, pool, tasks
from pages.shared.shell import ICONS, button, fragment

DISMISSED = "notice_dismissed"


def data_notice() -> None:
    """One line if the page shows the bundled sample, or other data than it was told to use.

    A visitor who dismisses it does not see it again in this session.
    """
    # Read before the data: a download that ends in between is then noticed at the next look.
    place = data.locate()
    if st.session_state.get(DISMISSED):
        return
    if dataset().source == "sample":
        with presenter.hidden_when_presenting("sample"):
            fragment(_sample_notice, run_every=2.0)(place)
    elif problem := _unused_file():
        with presenter.hidden_when_presenting("sample"):
            fragment(_notice)(f"{problem}; using the MNIST found elsewhere.", ":material/warning:")


def _sample_notice(place: tuple[Path, str]) -> None:
    if st.session_state.get(DISMISSED):
        return
    if data.locate() != place and dataset().source != "sample":
        # The download has ended, so the whole page shows other digits now.
        st.rerun()
    using = "using the 5,000 digits that came with the app"
    try:
        download, fetches = tasks().download(), pool().fetches
        if fetches and (download is None or download.state == DONE):
            request_download()
    except StoreUnavailable as error:
        _notice(f"{using.capitalize()}. {error}", ":material/inventory_2:")
        return
    failed = download is not None and download.state == FAILED
    # The log has the reason. An older version stored it as the message.
    offline = download is not None and download.message == DownloadFailed.NO_INTERNET
    if problem := _unused_file():
        _notice(f"{problem}; {using}.", ":material/warning:", try_again=failed)
    elif failed:
        reason = DownloadFailed.NO_INTERNET if offline else DownloadFailed.FAILED
        _notice(f"{reason}; {using}.", ":material/cloud_off:", try_again=True)
    elif fetches:
        _notice(
            "Using the 5,000 digits that came with the app until all 70,000 (11 MB) are "
            "downloaded; this page will update automatically.",
            ":material/downloading:",
        )
    else:
        _notice(f"{using.capitalize()}, of MNIST's 70,000.", ":material/inventory_2:")


def _notice(text: str, icon: str, *, try_again: bool = False) -> None:
    with st.container(key="data_notice", horizontal=True, vertical_alignment="center"):
        st.info(text, icon=icon)
        if try_again:
            button("Try again", "refresh", request_download)
        button("Dismiss", "close", _dismiss_notice, type="tertiary")


def _dismiss_notice() -> None:
    st.session_state[DISMISSED] = True


def _unused_file() -> str:
    """The beginning of a sentence if the server does not use the data file it was given."""
    path, source = data.candidates()[0]
    if source != "file" or dataset().source == source:
        return ""
    return f"The server's data file {path.name} cannot be used (its log says why)"


def request_download() -> None:
    tasks().request_download()
    pool().wake()


def download(label: str, make: Callable[[], str | bytes], file_name: str) -> None:
    """A button that makes its file only once it is pressed."""
    st.download_button(
        label,
        make,
        file_name,
        on_click="ignore",
        icon=":material/download:",
        key=f"download-{file_name}",
    )


def link(page: str, text: str, **query: str) -> None:
    """A link to another page.

    Args:
        query: address parameters for that page.
    """
    st.page_link(f"pages/{page}.py", label=text, icon=ICONS[page], query_params=query or None)


def next_step(page: str, text: str, *, primary: bool = True, **query: str) -> None:
    """The one thing to do next, at the end of a page.

    Args:
        query: address parameters for that page.
        primary: False if the page has a more important button.
    """
    st.space("small")
    kind: Any = "primary" if primary else "secondary"
    if st.button(text, icon=ICONS[page], type=kind, key="next_step"):
        st.switch_page(f"pages/{page}.py", query_params=query or None)
