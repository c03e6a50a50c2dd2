"""teacher: anyone who knows the password may change every stored run.

There is a teacher only if MNIST_TEACHER_PASSWORD is set. Only the session on the server knows
that somebody is signed in. RunStore decides what they may do.
"""

import functools
import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Callable, Mapping

import streamlit as st

from mnist_core.errors import NotAllowed
from mnist_core.store.run import ACTIVE, TEACHER, Run, queue_place
from pages.components import run_picker
from pages.server import limits
from pages.server.rates import SIGN_IN
from pages.shared import cache, shell

log = logging.getLogger("pages")

VARIABLE = "MNIST_TEACHER_PASSWORD"
SHORTEST = 10
SIGNED_IN, BOX, PROBLEM = "teacher", "teacher_password", "teacher_problem"
QUEUE_SECONDS = 2.0
HASH_KEY = secrets.token_bytes(32)


def password(environ: Mapping[str, str] = os.environ) -> str:
    """The teacher's password; empty if there is no teacher."""
    text = environ.get(VARIABLE, "")
    if 0 < len(text) < SHORTEST:
        _warn_once()
        return ""
    return text


@functools.cache
def _warn_once() -> None:
    log.warning(
        "%s is shorter than %d characters, so nobody can sign in as the teacher; set a longer one.",
        VARIABLE,
        SHORTEST,
    )


def signed_in() -> bool:
    """Whether this session knows the password; a changed password signs everybody out."""
    return bool(password()) and st.session_state.get(SIGNED_IN) == _mark()


def acting_as(visitor: str) -> str:
    """The name under which runs are changed: the teacher's, or this visitor's."""
    return TEACHER if signed_in() else visitor


def may_change(run: Run, visitor: str) -> bool:
    """Whether to offer changes; the store checks it again."""
    return not run.shipped and (run.owner == visitor or signed_in())


def stop(run_id: str, visitor: str) -> None:
    """Ask a run to stop, as its owner or as the teacher."""
    cache.store().request_stop(run_id, acting_as(visitor))


def show(visitor: str, more: Callable[[str], None] | None = None) -> None:
    """The teacher's part at the end of a page, once signed in with ``more(visitor)`` in it, which
    is updated every two seconds."""
    if not password():
        return
    problem = st.session_state.pop(PROBLEM, "")
    with st.expander(
        "For the teacher", icon=":material/school:", expanded=bool(problem) or signed_in()
    ):
        if problem:
            # Next to the box, not at the top of the page.
            st.error(problem, icon=":material/error:")
        if signed_in():
            st.write("You may stop, resume, rename, keep and delete every run trained here.")
            if more:
                shell.fragment(more, run_every=QUEUE_SECONDS)(visitor)
            shell.button("Sign out", "logout", sign_out)
            return
        with st.form("teacher_form", border=False, clear_on_submit=True):
            st.text_input(
                "Password",
                type="password",
                key=BOX,
                max_chars=200,
                autocomplete="current-password",
                width=300,
            )
            st.form_submit_button(
                "Sign in", icon=":material/login:", on_click=sign_in, args=(visitor,)
            )


def show_queue(visitor: str) -> None:
    """For the teacher: all active runs, each with a button to stop it."""
    runs = sorted(cache.store().list_runs(states=ACTIVE), key=queue_place)
    if not runs:
        st.write("No run is waiting or running.")
    titles = run_picker.titles(runs)
    for run in runs:
        with st.container(horizontal=True, vertical_alignment="center"):
            shell.button(
                f"Stop {titles[run.id]}",
                "stop_circle",
                stop,
                run.id,
                visitor,
                key=f"teacher-stop-{run.id}",
                disabled=run.stop_requested,
            )
            st.text(run.state)


def sign_in(visitor: str) -> None:
    """Every attempt counts, right or wrong, so that nobody can guess for long."""
    try:
        limits.check(SIGN_IN, visitor)
    except NotAllowed as error:
        st.session_state[PROBLEM] = str(error)
        return
    typed = str(st.session_state.get(BOX, ""))
    # An empty password is never right, not even if there is no teacher.
    if password() and hmac.compare_digest(typed.encode(), password().encode()):
        st.session_state[SIGNED_IN] = _mark()
    else:
        st.session_state[PROBLEM] = "That is not the teacher's password."


def sign_out() -> None:
    st.session_state.pop(SIGNED_IN, None)


def _mark() -> str:
    """What a session remembers instead of the password."""
    return hashlib.blake2b(password().encode(), key=HASH_KEY).hexdigest()
