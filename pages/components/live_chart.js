// Draws a chart of live_chart.py, or changes it in place. load() is in load_plotly.js.
export default async function({ data, parentElement }) {
  const chart = parentElement.querySelector('.chart');
  const { data: traces, layout } = JSON.parse(data.figure);
  chart.setAttribute('aria-label', data.alt);
  chart.classList.toggle('fitted', data.fitted);
  if (data.fitted) delete layout.height;
  else chart.style.minHeight = `${layout.height}px`;
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
    layout[axis] = { ...layout[axis], gridcolor: grid, zerolinecolor: grid };
  const background = theme.getPropertyValue('--st-background-color').trim();
  layout.hoverlabel = { bgcolor: background };
  for (const note of layout.annotations ?? []) note.bgcolor = background;
  await Plotly.react(chart, traces, layout, { displayModeBar: false, responsive: true });
  bringIntoView(chart, data.reveal);
}

// Once for each occasion: somebody who scrolls away afterwards is not pulled back.
function bringIntoView(chart, occasion) {
  window.revealedCharts ??= new Set();
  if (!occasion || window.revealedCharts.has(occasion)) return;
  window.revealedCharts.add(occasion);
  // What is above the chart may change in the same rerun.
  requestAnimationFrame(() => requestAnimationFrame(() => chart.scrollIntoView({ block: 'nearest' })));
}
