"""gallery: many digits in a grid, each a button that tells Python which one was chosen.

markup.digit_grid looks the same where nothing happens on a click. All pictures are sent as
one, a sprite, and cut out by the browser: quicker to make and to paint than one file each.
"""

import base64
from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from mnist_core.analysis import maps

_gallery = st.components.v2.component(
    "gallery",
    html='<div class="digits" role="group"></div>',
    css="""
.digits { display: grid; gap: .6rem;
  grid-template-columns: repeat(auto-fill, minmax(4.2rem, 1fr)); }
button { all: unset; cursor: pointer; text-align: center; max-width: 8rem; border-radius: .4rem;
  color: var(--st-text-color); font-family: var(--st-font); }
button:focus-visible { outline: .2rem solid var(--st-primary-color); outline-offset: .1rem; }
button:hover .picture { box-shadow: 0 0 0 .18rem var(--st-primary-color); }
.picture { aspect-ratio: 1; border-radius: .35rem; image-rendering: pixelated;
  background: #000 var(--sprite) no-repeat; }
.caption { font-size: 1rem; line-height: 1.4; padding-top: .15rem; min-height: 1.4em;
  white-space: pre-line; }
""",
    js="""
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
  // Whoever goes by keyboard stays where they were, and a dialog still hears Escape.
  const focused = [...grid.children].indexOf(parentElement.activeElement);
  grid.replaceChildren(...buttons);
  buttons[Math.min(focused, buttons.length - 1)]?.focus({ preventScroll: true });
}
""",
)


def gallery(
    images: np.ndarray,
    captions: Sequence[str],
    texts: Sequence[str],
    label: str,
    key: str,
    on_choose: Callable[[int], None],
) -> None:
    """Show the digits.

    Args:
        images: uint8 (n, 28, 28).
        captions: what is written under each, in one line or several.
        texts: the alternative text of each.
        label: what they are all together, for who cannot see them.
        on_choose: called with a picture's number, from 0 on, before the page reruns.
    """

    def chosen() -> None:
        # It comes from a stranger's browser.
        number = st.session_state[key].get("chosen")
        if type(number) is int and 0 <= number < len(images):
            on_choose(number)

    columns = maps.sprite_columns(len(images))
    # Tuples: to tell whether a list is a data frame, Streamlit would load pandas.
    _gallery(
        data={
            "sprite": base64.b64encode(maps.sprite(images)).decode() if len(images) else "",
            "columns": columns,
            "rows": -(-len(images) // columns),
            "captions": tuple(captions),
            "texts": tuple(texts),
            "label": label,
        },
        key=key,
        on_chosen_change=chosen,
    )
