(() => {
  // Images: what matches every filter is shown.
  const filters = document.getElementById("filters");
  const search = document.getElementById("search");
  const fields = ["group", "owner", "failing"].map((name) => document.getElementById(name));
  const found = document.getElementById("found");
  const images = [...document.querySelectorAll("details.image")].map((element) => ({
    element,
    text: element.textContent.toLowerCase(),
    sets: [element.dataset.groups, element.dataset.owners, element.dataset.checks].map((value) => new Set(JSON.parse(value))),
  }));
  const boxes = [...filters.querySelectorAll("input[type=checkbox]")];
  const apply = () => {
    const outcomes = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { element, text, sets } of images) {
      const match = (!outcomes.size || outcomes.has(element.dataset.outcome))
        && fields.every((field, place) => !field.value || sets[place].has(field.value))
        && words.every((word) => text.includes(word));
      element.hidden = !match;
      shown += match ? 1 : 0;
    }
    found.textContent = shown === images.length ? `All ${shown} images` : `${shown} of ${images.length} images`;
    document.getElementById("nothing").hidden = shown !== 0;
  };
  const reset = () => {
    for (const box of boxes) box.checked = false;
    search.value = "";
    for (const field of fields) field.value = "";
    apply();
  };
  filters.addEventListener("input", apply);
  filters.addEventListener("change", apply);
  document.getElementById("reset").addEventListener("click", () => { reset(); search.focus(); });
  filters.hidden = false;
  apply();

  // A number or a check leads to the images behind it.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-outcome], a[data-failing], a[data-group]");
    if (!link) return;
    reset();
    for (const box of boxes) box.checked = box.value === link.dataset.outcome;
    fields[0].value = link.dataset.group ?? "";
    fields[2].value = link.dataset.failing ?? "";
    apply();
  });

  revealing(reset);
})();
