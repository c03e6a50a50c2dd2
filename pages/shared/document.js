// What concerns the document as a whole.
export default function({ data }) {
  // Presenter mode was left: its style is still in the document (pages/server/entrance.py).
  const style = document.getElementById('presenter');
  if (style) style.media = data.presenting ? '' : 'not all';

  // On a narrow screen the menu lies over the page, and Streamlit closes it only where it recognises
  // a phone: close it wherever a page was chosen in it.
  const close = ({ target }) => {
    const menu = document.querySelector('[data-testid="stSidebar"]');
    if (!menu?.contains(target) || !target.closest('a')) return;
    // Not before Streamlit, which would open it again.
    setTimeout(() => {
      if (menu.dataset.collapsed !== 'true')
        menu.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
    });
  };
  document.addEventListener('click', close);
  return () => document.removeEventListener('click', close);
}
