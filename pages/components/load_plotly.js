// Loads Plotly once for all charts of a page, however many ask for it.
function load(source) {
  window.plotlyLoading ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = source;
    script.onload = resolve;
    script.onerror = () => { window.plotlyLoading = undefined; reject(); };
    document.head.append(script);
  });
  return window.plotlyLoading;
}

