// What the canvas of streamlit-drawable-canvas lacks on the sheet of canvas.py: it fits its place,
// outlives a reload, says what it is, and tells a keyboard what to do instead.
const KEPT = 'mnist_drawing';
// The canvas reports a stroke this many milliseconds after it, and the way takes some more.
const REPORT = 350;
// Invisible tools lie over its upper right corner, where a digit begun there would press them.
const STYLE = `.dc-toolbar { display: none !important; }
  canvas:focus-visible { outline: .2rem solid var(--st-primary-color); outline-offset: .1rem; }`;

export default function({ data, parentElement, setTriggerValue }) {
  const { host } = parentElement.getRootNode();
  const sheet = host.closest('.st-key-sheet');
  const hint = parentElement.querySelector('.hint');
  hint.textContent = data.hint;
  const kept = data.first ? recall() : null;
  if (kept?.length) setTriggerValue('kept', kept);
  else keep(data.strokes);

  const fit = new ResizeObserver(() =>
    sheet.style.setProperty('--fit', sheet.clientWidth / data.side));
  fit.observe(sheet);

  let penLifted = -REPORT;
  const lifted = () => { penLifted = performance.now(); };
  // Undo and Clear are about what is on the sheet: they wait until the server knows it.
  const wait = (event) => {
    const button = event.target.closest?.('.st-key-tools button');
    const left = penLifted + REPORT - performance.now();
    if (!button || left <= 0) return;
    event.stopPropagation();
    setTimeout(() => button.click(), left);
  };
  document.addEventListener('click', wait, true);

  function prepare() {
    // By its key: for a moment after Clear there are the old one and the new.
    const part = sheet.querySelector(
      `.st-key-${data.sheet} [data-testid="stBidiComponentIsolated"]`);
    const canvas = part?.shadowRoot?.querySelector('canvas.upper-canvas');
    if (!canvas) return false;
    const root = canvas.getRootNode();
    if (!root.querySelector('.helped')) {
      const style = document.createElement('style');
      style.className = 'helped';
      style.textContent = STYLE;
      root.append(style);
    }
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'application');
    canvas.setAttribute('aria-label', `${data.label}. ${data.hint}`);
    canvas.onfocus = () => hint.classList.toggle('shown', canvas.matches(':focus-visible'));
    canvas.onblur = () => hint.classList.remove('shown');
    canvas.onpointerup = lifted;
    canvas.onkeydown = (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      setTriggerValue('asked', true);
    };
    return true;
  }
  // The canvas may be there a moment later than this.
  let tries = 200;
  const timer = setInterval(() => { if (prepare() || --tries === 0) clearInterval(timer); }, 50);
  prepare();
  return () => {
    clearInterval(timer);
    fit.disconnect();
    document.removeEventListener('click', wait, true);
  };
}

// In this tab only: the next person at a shared computer opens another one. Without storage,
// as in some private windows, a reload clears the sheet.
function keep(strokes) {
  try {
    if (strokes.length) sessionStorage.setItem(KEPT, JSON.stringify(strokes));
    else sessionStorage.removeItem(KEPT);
  } catch (error) {
    console.warn('The drawing is not kept:', error);
  }
}

function recall() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT));
  } catch (error) {
    console.warn('No drawing is kept:', error);
    return null;
  }
}
