"""The app's entrance: ``streamlit run dashboard.py``. Routes to the pages, nothing else."""

import streamlit as st

from pages.shared import shell

st.set_page_config(page_title="Watch a network learn to read", page_icon="🔢", layout="wide")

PAGES = {
    name: st.Page(f"pages/{name}.py", title=title, icon=icon, default=name == "overview")
    for name, title, icon in (
        ("overview", "Overview", ":material/home:"),
        ("explore", "Explore", ":material/grid_view:"),
        ("train", "Train", ":material/model_training:"),
        ("sweep", "Sweep", ":material/tune:"),
        ("compare", "Compare", ":material/compare_arrows:"),
        ("evaluate", "Evaluate", ":material/grid_on:"),
        ("draw", "Draw", ":material/draw:"),
    )
}

shell.enter(PAGES)
