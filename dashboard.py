"""The app's entrance: ``streamlit run dashboard.py``. Routes to the pages, nothing else."""

import streamlit as st

if __name__ == "__main__":
    # Streamlit runs this for every visitor, again and again.
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
else:
    # The server imports this once.
    from pages.server import entrance

    def load() -> list[str | None]:
        """Import what pages need, so that no visitor waits for it; what browsers will need."""
        from pages.components import live_chart, maps, settings, tested_images, trust  # noqa: F401

        return [live_chart.plotly_address()]

    begin = entrance.Entrance(load)
    app = st.App("dashboard.py", lifespan=begin.started, middleware=begin.middleware)
