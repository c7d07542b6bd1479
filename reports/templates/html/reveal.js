// A link leads to what it names, also where that is folded or filtered away, and the keyboard goes on from there.
// `reset` shows everything again.
const revealing = (reset) => {
  const reveal = () => {
    let id;
    try { id = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    const target = id && document.getElementById(id);
    if (!target) return;
    if (target.closest("[hidden]")) reset();
    for (let place = target; place; place = place.parentElement) if (place.tagName === "DETAILS") place.open = true;
    target.scrollIntoView();
    const focus = (target.matches("details, section") && target.querySelector("summary, h1, h2")) || target;
    if (!focus.matches("summary, a, button, input, select, [tabindex]")) focus.tabIndex = -1;
    focus.focus({ preventScroll: true });
  };
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) reveal();
  });
  reveal();
};
