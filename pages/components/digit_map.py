"""digit_map: points that show their picture, and can be lassoed.

Plotly draws them; the pictures come from one sprite that the browser fetches once. It tells
Python which point was clicked and which were lassoed.
"""

import json
from collections.abc import Callable

import numpy as np
import streamlit as st

from mnist_core.analysis import maps
from mnist_core.plots import style
from pages.components.live_chart import LOAD, plotly_address

MOST_LASSOED = 2000

_map = st.components.v2.component(
    "digit_map",
    html="""<div class="map"><div class="plot" role="group"></div>
<div class="tip" hidden><canvas width="28" height="28"></canvas><span></span></div></div>""",
    css="""
.map { position: relative; width: 100%; }
.map .tip { position: absolute; z-index: 5; pointer-events: none; padding: .3rem;
  border-radius: .4rem; background: var(--st-background-color); text-align: center;
  border: 1px solid var(--st-border-color); box-shadow: 0 .1rem .5rem #0006; }
.map .tip[hidden] { display: none; }
.map .tip canvas { width: 84px; height: 84px; image-rendering: pixelated; display: block;
  border-radius: .3rem; background: #000; }
.map .tip span { font: 600 1rem var(--st-font); color: var(--st-text-color); }
""",
    js=LOAD
    + """
export default async function({ data, parentElement, setTriggerValue }) {
  const plot = parentElement.querySelector('.plot');
  const tip = parentElement.querySelector('.tip');
  const map = parentElement.querySelector('.map');
  plot.setAttribute('aria-label', data.alt);
  plot.style.minHeight = `${data.height}px`;
  try {
    await load(data.source);
  } catch {
    plot.textContent = 'The map could not be loaded.';
    return;
  }
  const { x, y, labels, colours, names } = data;
  const lassoed = data.lassoed && new Set(data.lassoed);
  const traces = colours.map((colour, digit) => {
    const members = labels.flatMap((label, number) => label === digit ? [number] : []);
    return {
      type: 'scatter', mode: 'markers', name: String(digit),
      x: members.map(number => x[number]), y: members.map(number => y[number]),
      customdata: members, hoverinfo: 'none',
      marker: { color: colour, size: 6, opacity: 0.85 },
      selectedpoints: lassoed
        ? members.flatMap((number, at) => lassoed.has(number) ? [at] : []) : undefined,
      selected: { marker: { opacity: 1, size: 7 } }, unselected: { marker: { opacity: 0.12 } },
    };
  });
  const theme = getComputedStyle(parentElement.host ?? parentElement);
  const text = theme.getPropertyValue('--st-text-color').trim() || '#888';
  const layout = {
    height: data.height, margin: { l: 4, r: 4, t: 34, b: 4 }, dragmode: 'lasso',
    hovermode: 'closest', uirevision: data.revision,
    paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
    font: { size: 16, color: text, family: theme.getPropertyValue('--st-font') },
    legend: { orientation: 'h', x: 0, y: 0, yref: 'container', yanchor: 'bottom',
              itemsizing: 'constant' },
    xaxis: { visible: false }, yaxis: { visible: false, scaleanchor: 'x' },
    // The loop itself goes; what was in it stays chosen, by the data.
    selections: [], selectionrevision: JSON.stringify(data.lassoed),
    modebar: { bgcolor: 'rgba(0,0,0,0)', color: text, activecolor: text },
  };
  tip.hidden = true;
  const first = !plot.classList.contains('js-plotly-plot');
  await Plotly.react(plot, traces, layout, {
    responsive: true, displaylogo: false, displayModeBar: true,
    modeBarButtons: [['lasso2d', 'zoom2d', 'pan2d', 'resetScale2d']],
  });
  // What the listeners below go by; the data may be other ones at the next call.
  plot.shown = { names, columns: data.columns, sprite: data.sprite };
  if (!first) return;
  const sheet = new Image();
  let number = 0;
  const draw = () => {
    const { columns } = plot.shown;
    const pen = tip.querySelector('canvas').getContext('2d');
    pen.clearRect(0, 0, 28, 28);
    if (sheet.complete && sheet.naturalWidth)
      pen.drawImage(sheet, 28 * (number % columns), 28 * Math.floor(number / columns),
                    28, 28, 0, 0, 28, 28);
  };
  // The pictures may arrive while somebody is pointing already.
  sheet.onload = draw;
  sheet.src = data.sprite;
  plot.on('plotly_hover', ({ points: [point], event }) => {
    const { names, sprite } = plot.shown;
    if (!sheet.src.endsWith(sprite)) sheet.src = sprite;
    number = point.customdata;
    draw();
    tip.querySelector('span').textContent = names[number];
    tip.hidden = false;
    const box = map.getBoundingClientRect();
    const left = event.clientX - box.left, top = event.clientY - box.top;
    tip.style.left = `${left > box.width / 2 ? left - tip.offsetWidth - 14 : left + 14}px`;
    tip.style.top = `${Math.max(0, top - tip.offsetHeight / 2)}px`;
  });
  plot.on('plotly_unhover', () => { tip.hidden = true; });
  plot.on('plotly_click', ({ points: [point] }) => {
    tip.hidden = true;
    setTriggerValue('chosen', point.customdata);
  });
  plot.on('plotly_selected', (event) => {
    // It also tells of what was selected by the data.
    if (event?.lassoPoints || event?.range)
      setTriggerValue('lassoed', event.points.map(point => point.customdata).slice(0, data.most));
  });
  plot.on('plotly_deselect', () => setTriggerValue('lassoed', []));
}
""",
    isolate_styles=False,
)


def digit_map(
    points: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    sprite: str,
    alt: str,
    key: str,
    *,
    lassoed: list[int] | None,
    on_choose: Callable[[int], None],
    on_lasso: Callable[[list[int]], None],
    height: int = 520,
) -> None:
    """Show the map.

    Args:
        points: float (n, 2).
        labels: the digit of each, 0 to 9.
        names: what is said of each that is pointed at.
        sprite: the address of a picture as ``maps.sprite`` makes it.
        alt: what the map shows, for who cannot see it.
        lassoed: numbers of the points to show as chosen; None if all are alike.
        on_choose: called with the number of a point that was clicked.
        on_lasso: called with the numbers of those that were lassoed.
    """
    source = plotly_address()
    if source is None:
        st.info("The map needs a folder it may write to (static/), and there is none here.")
        return

    def is_number(value: object) -> bool:
        return type(value) is int and 0 <= value < len(points)

    # What arrives comes from a stranger's browser.
    def chosen() -> None:
        if is_number(number := st.session_state[key].get("chosen")):
            on_choose(number)

    def caught() -> None:
        numbers = st.session_state[key].get("lassoed")
        if isinstance(numbers, list) and len(numbers) <= MOST_LASSOED:
            on_lasso(sorted({number for number in numbers if is_number(number)}))

    # Tuples: to tell whether a list is a data frame, Streamlit would load pandas.
    _map(
        data={
            **{axis: tuple(steps) for axis, steps in maps.compact(points).items()},
            "labels": tuple(labels.tolist()),
            "names": tuple(names),
            "colours": tuple(style.DIGIT_COLOURS),
            "sprite": sprite,
            "columns": maps.sprite_columns(len(points)),
            "source": source,
            "alt": alt,
            "height": height,
            "lassoed": None if lassoed is None else tuple(lassoed),
            "most": MOST_LASSOED,
            # Other points are another view; the same ones stay as the person left them.
            "revision": json.dumps([alt, len(labels)]),
        },
        key=key,
        on_chosen_change=chosen,
        on_lassoed_change=caught,
    )
