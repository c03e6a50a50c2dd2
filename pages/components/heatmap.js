// Draws the heatmap of heatmap.py and reports which cell was chosen. load() is in load_plotly.js.
export default async function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.heatmap');
  const [plot, cells, note] = box.children;
  if (!cells.children.length) prepare(box, plot, cells);
  cells.report = number => setTriggerValue('chosen', number);
  cells.setAttribute('aria-label', data.label);
  box.figure = JSON.parse(data.figure);
  const [{ hovertext, meta: colours }, { text, textfont }] = box.figure.data;
  const names = hovertext.flat();
  const drawn = plot.classList.contains('js-plotly-plot');
  [...cells.children].forEach((button, number) => {
    button.setAttribute('aria-label', names[number]);
    // Until Plotly has drawn them.
    button.textContent = drawn ? '' : text[number];
    button.style.background = drawn ? '' : colours[number];
    button.style.color = textfont.color[number];
  });
  select(cells, data.chosen);
  cells.style.fontSize = `${sizeOfNumbers(cells, text)}px`;
  // In place of the axes, until Plotly has drawn them.
  note.textContent = 'A row for each true digit, a column for each predicted digit, 0 to 9.';
  note.hidden = 'Plotly' in window;
  try {
    if (!data.source) throw new Error('no address');
    await load(data.source);
  } catch {
    return;
  }
  note.hidden = true;
  await draw(box, plot, cells);
  for (const button of cells.children) {
    button.textContent = '';
    button.style.background = '';
  }
}

// Makes the buttons, which last as long as the heatmap.
function prepare(box, plot, cells) {
  const buttons = Array.from({ length: 100 }, () => document.createElement('button'));
  for (const button of buttons) button.type = 'button';
  cells.append(...buttons);
  const at = ({ target }) => buttons.indexOf(target.closest('button'));
  cells.addEventListener('click', event => {
    const number = at(event);
    if (number < 0) return;
    select(cells, number);
    cells.report(number);
  });
  // One tab stop; arrow keys move within the heatmap.
  cells.addEventListener('keydown', event => {
    const number = at(event), column = number % 10;
    const steps = { ArrowLeft: column && -1, ArrowRight: column < 9 && 1, ArrowUp: -10,
                    ArrowDown: 10, Home: -column, End: 9 - column };
    if (!(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    buttons[number + Number(steps[event.key])]?.focus();
  });
  cells.addEventListener('focusin', event => {
    for (const button of buttons) button.tabIndex = button === event.target ? 0 : -1;
    if (event.target.matches(':focus-visible')) name(plot, at(event));
  });
  cells.addEventListener('focusout', () => name(plot, -1));
  cells.addEventListener('pointerover', event => {
    if (event.pointerType === 'mouse') name(plot, at(event));
  });
  cells.addEventListener('pointerleave', () => name(plot, -1));
  new ResizeObserver(() => {
    if (plot.classList.contains('js-plotly-plot')) draw(box, plot, cells);
  }).observe(box);
}

// Shows Plotly's label of a cell, which is what its button is called; -1 hides it.
function name(plot, number) {
  if (!plot.classList.contains('js-plotly-plot')) return;
  if (number < 0) Plotly.Fx.unhover(plot);
  else Plotly.Fx.hover(plot, { xval: number % 10, yval: Math.floor(number / 10) });
}

function select(cells, chosen) {
  const inside = cells.contains(document.activeElement);
  [...cells.children].forEach((button, number) => {
    button.setAttribute('aria-pressed', String(number === chosen));
    if (!inside) button.tabIndex = number === chosen ? 0 : -1;
  });
}

// In pixels, as large as the longest number's cell allows.
function sizeOfNumbers(cells, text) {
  const { width, height } = cells.getBoundingClientRect();
  const longest = Math.max(...text.map(number => number.length), 2);
  return Math.min(0.06 * height, 0.082 * width / (0.58 * longest));
}

async function draw(box, plot, cells) {
  const outer = box.getBoundingClientRect(), inner = cells.getBoundingClientRect();
  if (!inner.width || !inner.height) return;
  const [{ ...heat }, { ...numbers }] = box.figure.data, { template, ...layout } = box.figure.layout;
  const look = getComputedStyle(box);
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  // The page's own, also where the visitor's system replaces all colours.
  const font = { color: look.color, family: look.fontFamily, size: 0.9 * rem };
  numbers.textfont = { ...numbers.textfont, size: sizeOfNumbers(cells, numbers.text) };
  for (const axis of ['xaxis', 'yaxis']) {
    const title = { ...layout[axis].title, font, standoff: 0.2 * rem };
    layout[axis] = { ...layout[axis], tickfont: font, title };
  }
  await Plotly.react(plot, [heat, numbers], {
    ...layout, font, width: outer.width, height: outer.height,
    margin: { l: inner.left - outer.left, r: outer.right - inner.right,
              t: inner.top - outer.top, b: outer.bottom - inner.bottom, pad: 0 },
    paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
    hoverlabel: { bgcolor: look.getPropertyValue('--st-background-color').trim(), font },
  }, { displayModeBar: false });
}
