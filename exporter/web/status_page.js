"use strict";
(() => {
  const body = document.querySelector("tbody");
  if (!body) return;
  const rows = [...body.rows];
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");

  for (const head of document.querySelectorAll("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sortBy(head));
  }

  function sortBy(head) {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of document.querySelectorAll("th[data-sort]")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = head.dataset.sort;
    const compare = key === "name"
      ? (one, two) => one.dataset.name.localeCompare(two.dataset.name)
      : (one, two) => one.dataset[key] - two.dataset[key];
    rows.sort((one, two) => (down ? -1 : 1) * compare(one, two));
    body.append(...rows);
  }

  function show() {
    const wanted = filter.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    const count = rows.filter((row) => !row.hidden).length;
    shown.textContent = wanted ? `${count} of ${rows.length}` : "";
  }

  filter.addEventListener("input", show);
  filter.closest("p").hidden = false;
  show();
})();
