// Loads Plotly once for all charts of a page, however many ask for it.
// biome-ignore lint/correctness/noUnusedVariables: a chart's own script follows this one
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

