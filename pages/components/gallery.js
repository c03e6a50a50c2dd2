// Fills the grid of gallery.py and reports which digit was chosen. The grid is one tab stop;
// arrow keys, Home and End move within it.
export default function({ data, parentElement, setTriggerValue }) {
  const grid = parentElement.querySelector('.digits');
  grid.onclick = (event) => {
    const button = event.target.closest('button');
    if (!button) return;
    refocus(grid, button);
    setTriggerValue('chosen', [...grid.children].indexOf(button));
  };
  grid.onkeydown = (event) => move(grid, event);
  if (!grid.shown) grid.addEventListener('focusin', ({ target }) => makeStop(grid, target));
  const shown = JSON.stringify(data);
  // The same digits keep their buttons, and so the keyboard its place.
  if (grid.shown === shown) return;
  grid.shown = shown;
  grid.setAttribute('aria-label', `${data.label}; arrow keys move between them`);
  grid.style.setProperty('--sprite', `url(data:image/png;base64,${data.sprite})`);
  const focused = [...grid.children].indexOf(parentElement.activeElement);
  grid.replaceChildren(...data.captions.map((_, number) => buttonOf(data, number)));
  if (grid.children.length) makeStop(grid, grid.children[0]);
  grid.children[Math.min(focused, grid.children.length - 1)]?.focus({ preventScroll: true });
}

function buttonOf({ captions, texts, columns, rows }, number) {
  // Where a picture lies in the sprite, as background-position counts it.
  const place = (at, count) => count > 1 ? `${100 * at / (count - 1)}%` : '0%';
  const button = document.createElement('button');
  button.type = 'button';
  button.setAttribute('aria-label', texts[number]);
  button.title = texts[number];
  const picture = document.createElement('div');
  picture.className = 'picture';
  Object.assign(picture.style, {
    backgroundSize: `${100 * columns}% ${100 * rows}%`,
    backgroundPosition:
      `${place(number % columns, columns)} ${place(Math.floor(number / columns), rows)}`,
  });
  const words = document.createElement('div');
  words.className = 'caption';
  words.textContent = captions[number];
  button.append(picture, words);
  return button;
}

// The Tab key reaches only this button of the grid.
function makeStop(grid, stop) {
  for (const button of grid.children) button.tabIndex = button === stop ? 0 : -1;
}

function move(grid, event) {
  const buttons = [...grid.children];
  const at = buttons.indexOf(event.target.closest('button'));
  if (at < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
  const row = buttons.filter(button => button.offsetTop === buttons[0].offsetTop).length;
  const to = {
    ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + row, ArrowUp: at - row,
    Home: 0, End: buttons.length - 1,
  }[event.key];
  if (to === undefined) return;
  // Otherwise the page would scroll.
  event.preventDefault();
  buttons[to]?.focus();
}

// Once the dialog that this opens is closed, bring the keyboard back to the button.
function refocus(grid, button) {
  grid.watch?.disconnect();
  let opened = false;
  grid.watch = new MutationObserver(() => {
    const open = document.querySelector('[role="dialog"]') !== null;
    if (opened && !open) {
      grid.watch.disconnect();
      // After the dialog has put the focus where it thinks best.
      setTimeout(() => button.focus({ preventScroll: true }), 50);
    }
    opened = open;
  });
  grid.watch.observe(document.body, { childList: true, subtree: true });
}
