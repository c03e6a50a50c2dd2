"""Classroom: everybody's runs of the last hour, live, the best first."""

import streamlit as st

from pages.components import classroom, notices, teacher
from pages.shared import cache, shell
from pages.shared.visitor import this_visitor

shell.guard("classroom")

POLL_SECONDS = 2.0

st.title("The class, live")
visitor = this_visitor()
cache.store()
shell.fragment(classroom.show_runs, run_every=POLL_SECONDS)(visitor)
notices.next_step("train", "Train a network of your own", primary=False)
teacher.show(visitor, teacher.show_queue)
