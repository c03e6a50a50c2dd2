// Hides the tools of the canvas; canvas.py says why.
export default function() {
  function remove() {
    let found = false;
    const isolated = '[data-testid="stBidiComponentIsolated"]';
    for (const { shadowRoot } of document.querySelectorAll(isolated)) {
      if (!shadowRoot?.querySelector('.dc-toolbar')) continue;
      found = true;
      if (shadowRoot.querySelector('.bare')) continue;
      const sheet = document.createElement('style');
      sheet.className = 'bare';
      sheet.textContent = '.dc-toolbar { display: none !important; }';
      shadowRoot.append(sheet);
    }
    return found;
  }
  // The canvas may be there a moment later than this.
  let tries = 100;
  const timer = setInterval(() => { if (remove() || --tries === 0) clearInterval(timer); }, 50);
  return () => clearInterval(timer);
}
