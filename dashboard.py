"""The app's entrance: ``streamlit run dashboard.py``. Routes to the pages, nothing else."""

import streamlit as st

from pages.shared import shell

st.set_page_config(page_title=shell.TITLE, page_icon="🔢", layout="wide")
shell.enter(
    {
        name: st.Page(
            f"pages/{name}.py", title=name.capitalize(), icon=icon, default=name == "overview"
        )
        for name, icon in shell.ICONS.items()
    }
)
