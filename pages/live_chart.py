"""live_chart: a Plotly figure that is redrawn in place while points arrive.

``st.plotly_chart`` builds its chart anew whenever the figure changes: it blinks, and zoom
and hidden lines are lost. This component hands the new data to ``Plotly.react`` instead.
Plotly's script comes from the installed package, through Streamlit's static files.
"""

import json
import shutil
from pathlib import Path

import plotly
import plotly.graph_objects as go
import streamlit as st

SOURCE = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
STATIC = Path(__file__).parent.parent / "static" / SOURCE.name

_chart = st.components.v2.component(
    "live_chart",
    html='<div class="chart" role="img"></div>',
    css=".chart { width: 100%; }",
    js="""
// One script for all charts of the page, however many ask for it.
function load(source) {
  window.plotlyLoading ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = source;
    script.onload = resolve;
    script.onerror = () => { window.plotlyLoading = undefined; reject(); };
    document.head.append(script);
  });
  return window.plotlyLoading;
}

export default async function({ data, parentElement }) {
  const chart = parentElement.querySelector('.chart');
  const { data: traces, layout } = JSON.parse(data.figure);
  chart.setAttribute('aria-label', data.alt);
  chart.style.minHeight = `${layout.height}px`;
  try {
    await load(data.source);
  } catch {
    chart.textContent = 'The chart could not be loaded; the numbers above still count.';
    return;
  }
  const theme = getComputedStyle(parentElement.host ?? parentElement);
  const text = theme.getPropertyValue('--st-text-color').trim() || '#888';
  const grid = theme.getPropertyValue('--st-border-color').trim() || '#8884';
  const transparent = 'rgba(0,0,0,0)';
  Object.assign(layout, { paper_bgcolor: transparent, plot_bgcolor: transparent });
  layout.font = { ...layout.font, color: text, family: theme.getPropertyValue('--st-font') };
  for (const axis of ['xaxis', 'yaxis'])
    Object.assign(layout[axis] ??= {}, { gridcolor: grid, zerolinecolor: grid });
  layout.hoverlabel = { bgcolor: theme.getPropertyValue('--st-background-color').trim() };
  await Plotly.react(chart, traces, layout, { displayModeBar: false, responsive: true });
}
""",
    isolate_styles=False,
)


@st.cache_resource(show_spinner=False)
def _script() -> str | None:
    """The address of Plotly's script, or None where the folder cannot be written."""
    try:
        if not STATIC.is_file() or STATIC.stat().st_size != SOURCE.stat().st_size:
            STATIC.parent.mkdir(exist_ok=True)
            partial = STATIC.with_suffix(".partial")
            shutil.copyfile(SOURCE, partial)
            partial.replace(STATIC)
    except OSError:
        return None
    # Another release of Plotly is another address, so no browser keeps the old one.
    return f"app/static/{STATIC.name}?v={plotly.__version__}"


def live_chart(figure: go.Figure, alt: str, key: str) -> None:
    """Show the figure; at the next rerun with the same key, only its data changes.

    Args:
        alt: what the chart shows, for who cannot see it.
    """
    script = _script()
    if script is None:
        # A read-only installation: the chart blinks, but it is there.
        st.plotly_chart(figure, key=key, config={"displayModeBar": False}, alt=alt)
        return
    plain = json.loads(figure.to_json())
    plain["layout"].pop("template", None)
    _chart(data={"figure": json.dumps(plain), "source": script, "alt": alt}, key=key)


if __name__ == "__main__":
    # Somebody opened /live_chart, which Streamlit takes for a page.
    st.switch_page("dashboard.py")
