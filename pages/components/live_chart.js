// Draws a chart of live_chart.py, or changes it in place. load() is in load_plotly.js.
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
    layout[axis] = { ...layout[axis], gridcolor: grid, zerolinecolor: grid };
  layout.hoverlabel = { bgcolor: theme.getPropertyValue('--st-background-color').trim() };
  await Plotly.react(chart, traces, layout, { displayModeBar: false, responsive: true });
}
