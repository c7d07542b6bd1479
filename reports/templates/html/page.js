(() => {
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

  revealing(reset);
})();
