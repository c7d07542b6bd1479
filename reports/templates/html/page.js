"use strict";
(() => {
  const root = document.documentElement;

  // Colours: as the system has them until somebody chooses. Where nothing can be kept, the choice lasts for the page.
  const SCHEMES = ["system", "light", "dark"];
  const KEY = "hullmark-scheme";
  const button = document.getElementById("scheme");
  const kept = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const keep = (scheme) => { try { localStorage.setItem(KEY, scheme); } catch { /* not kept */ } };
  let scheme = SCHEMES.includes(kept()) ? kept() : "system";
  const paint = () => {
    if (scheme === "system") delete root.dataset.scheme; else root.dataset.scheme = scheme;
    button.textContent = `Colours: ${scheme}`;
  };
  button.addEventListener("click", () => {
    scheme = SCHEMES[(SCHEMES.indexOf(scheme) + 1) % SCHEMES.length];
    keep(scheme);
    paint();
  });
  button.hidden = false;
  paint();

  // Findings: what matches every filter is shown.
  const filters = document.getElementById("filters");
  const found = document.getElementById("found");
  const search = document.getElementById("search");
  const trait = document.getElementById("trait");
  const framework = document.getElementById("framework");
  const checks = [...document.querySelectorAll("details.check")].map((element) => ({
    element,
    text: element.textContent.toLowerCase(),
    frameworks: new Set(element.dataset.frameworks.split(" ")),
  }));
  const groups = [...document.querySelectorAll("section.group")];
  const boxes = (name) => [...filters.querySelectorAll(`input[name="${name}"]`)];
  const chosen = (name) => {
    const on = boxes(name).filter((box) => box.checked).map((box) => box.value);
    return on.length ? new Set(on) : null;
  };
  const apply = () => {
    const outcomes = chosen("outcome");
    const severities = chosen("severity");
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { element, text, frameworks } of checks) {
      const match = (!outcomes || outcomes.has(element.dataset.outcome))
        && (!severities || severities.has(element.dataset.severity))
        && (!trait.value || trait.value === element.dataset.trait)
        && (!framework.value || frameworks.has(framework.value))
        && words.every((word) => text.includes(word));
      element.hidden = !match;
      shown += match ? 1 : 0;
    }
    for (const group of groups) group.hidden = !group.querySelector("details.check:not([hidden])");
    found.textContent = shown === checks.length ? `All ${shown} checks` : `${shown} of ${checks.length} checks`;
    document.getElementById("nothing").hidden = shown !== 0;
  };
  const reset = () => {
    for (const box of filters.querySelectorAll("input[type=checkbox]")) box.checked = false;
    search.value = trait.value = framework.value = "";
    apply();
  };
  filters.addEventListener("input", apply);
  filters.addEventListener("change", apply);
  document.getElementById("reset").addEventListener("click", () => { reset(); search.focus(); });
  const unfold = (open) => { for (const { element } of checks) if (!element.hidden) element.open = open; };
  document.getElementById("unfold").addEventListener("click", () => unfold(true));
  document.getElementById("fold").addEventListener("click", () => unfold(false));
  filters.hidden = false;
  apply();

  // A link leads to what it names, also where that is folded or filtered away, and the keyboard goes on from there.
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
})();
