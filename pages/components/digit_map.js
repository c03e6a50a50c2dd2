// Draws the map of digit_map.py and reports which points were chosen. load() is in load_plotly.js.
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
    // The loop itself disappears; the data keeps its points selected.
    selections: [], selectionrevision: JSON.stringify(data.lassoed),
    modebar: { bgcolor: 'rgba(0,0,0,0)', color: text, activecolor: text },
  };
  tip.hidden = true;
  const first = !plot.classList.contains('js-plotly-plot');
  await Plotly.react(plot, traces, layout, {
    responsive: true, displaylogo: false, displayModeBar: true,
    modeBarButtons: [['lasso2d', 'zoom2d', 'pan2d', 'resetScale2d']],
  });
  // Read by the listeners below, because the next call may bring other data.
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
  // The pictures may arrive while somebody is already pointing.
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
    // The event also fires for a selection that came with the data.
    if (event?.lassoPoints || event?.range)
      setTriggerValue('lassoed', event.points.map(point => point.customdata).slice(0, data.most));
  });
  plot.on('plotly_deselect', () => setTriggerValue('lassoed', []));
}
