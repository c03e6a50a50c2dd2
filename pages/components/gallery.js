// Fills the grid of gallery.py and reports which digit was chosen.
export default function({ data, parentElement, setTriggerValue }) {
  const grid = parentElement.querySelector('.digits');
  grid.setAttribute('aria-label', data.label);
  grid.style.setProperty('--sprite', `url(data:image/png;base64,${data.sprite})`);
  const { columns, rows } = data;
  // Where a picture lies in the sprite, as background-position counts it.
  const place = (at, count) => count > 1 ? `${100 * at / (count - 1)}%` : '0%';
  const buttons = data.captions.map((caption, number) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.setAttribute('aria-label', data.texts[number]);
    button.title = data.texts[number];
    const picture = document.createElement('div');
    picture.className = 'picture';
    Object.assign(picture.style, {
      backgroundSize: `${100 * columns}% ${100 * rows}%`,
      backgroundPosition:
        `${place(number % columns, columns)} ${place(Math.floor(number / columns), rows)}`,
    });
    const words = document.createElement('div');
    words.className = 'caption';
    words.textContent = caption;
    button.append(picture, words);
    button.onclick = () => setTriggerValue('chosen', number);
    return button;
  });
  // Keep the keyboard focus, so that a dialog still gets Escape.
  const focused = [...grid.children].indexOf(parentElement.activeElement);
  grid.replaceChildren(...buttons);
  buttons[Math.min(focused, buttons.length - 1)]?.focus({ preventScroll: true });
}
