"use strict";
(() => {
  const REFRESH_SECONDS = 30, RETRY_SECONDS = 5;
  const find = document.getElementById("find");
  const pause = document.getElementById("pause");
  const openAll = document.getElementById("open-all");
  const address = () => new URLSearchParams(location.search);
  const open = new Map();
  let readAt = Date.now();

  const rows = () => [...document.querySelectorAll("#rows > .one")];
  const isOpen = (row) => open.get(row.dataset.key) ?? ("few" in row.nextElementSibling.dataset);

  // What is chosen stands in the address, so that it survives a reload, a way back, and a link that is passed on.
  function choose(name, value) {
    const wanted = address();
    if (value) wanted.set(name, value); else wanted.delete(name);
    history.replaceState(null, "", `?${wanted}`);
    apply();
  }

  function compare(key) {
    if (key === "name") return (one, two) => one.dataset.name.localeCompare(two.dataset.name);
    return (one, two) => one.dataset[key] - two.dataset[key];
  }

  function sort(wanted) {
    const key = wanted.replace("-", "");
    for (const head of document.querySelectorAll("th[data-sort]")) {
      if (head.dataset.sort !== key) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", wanted.startsWith("-") ? "descending" : "ascending");
    }
    const sorted = rows();
    if (document.querySelector("th[aria-sort]")) {
      const direction = wanted.startsWith("-") ? -1 : 1;
      sorted.sort((one, two) => direction * compare(key)(one, two));
    } else {
      sorted.sort((one, two) => one.dataset.order - two.dataset.order);
    }
    const body = document.getElementById("rows");
    if (sorted.some((row, at) => body.rows[2 * at] !== row)) body.append(...sorted.flatMap((row) => [row, row.nextElementSibling]));
  }

  function apply() {
    const wanted = address();
    const show = wanted.get("show") ?? "";
    const words = (wanted.get("find") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    for (const link of document.querySelectorAll(".counts a")) {
      if (link.dataset.show === show) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    if (!find) return;
    if (document.activeElement !== find) find.value = wanted.get("find") ?? "";
    sort(wanted.get("sort") ?? "");
    let count = 0;
    const all = rows();
    for (const row of all) {
      const more = row.nextElementSibling;
      const text = `${row.textContent} ${more.textContent}`.toLowerCase();
      row.hidden = !(!show || row.dataset.show.split(" ").includes(show)) || !words.every((word) => text.includes(word));
      more.hidden = row.hidden || !isOpen(row);
      row.querySelector("button").setAttribute("aria-expanded", String(isOpen(row)));
      count += !row.hidden;
    }
    const said = count === all.length ? "" : `${count} of ${all.length} shown`;
    const shown = document.getElementById("shown");
    if (shown.textContent !== said) shown.textContent = said;
    openAll.textContent = all.every(isOpen) ? "Close all" : "Open all";
  }

  function equip() {
    rows().forEach((row, at) => {
      const head = row.firstElementChild, button = document.createElement("button"), more = row.nextElementSibling;
      row.dataset.order = at;
      more.id = `more-${at}`;
      button.type = "button";
      button.setAttribute("aria-controls", more.id);
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => { open.set(row.dataset.key, !isOpen(row)); apply(); });
    });
    for (const head of document.querySelectorAll("th[data-sort]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const key = head.dataset.sort;
        choose("sort", { "": key, [key]: `-${key}` }[address().get("sort") ?? ""] ?? (address().get("sort") === `-${key}` ? "" : key));
      });
    }
    for (const link of document.querySelectorAll(".counts a")) {
      link.addEventListener("click", (event) => { event.preventDefault(); choose("show", link.dataset.show); });
    }
    const now = document.getElementById("now");
    now.textContent = new Date(now.getAttribute("datetime") * 1000).toLocaleTimeString();
  }

  // What has the focus is found again in the new page by what it belongs to.
  function focused() {
    const at = document.activeElement, row = at.closest(".one");
    if (row) return () => rows().find((one) => one.dataset.key === row.dataset.key)?.querySelector("button");
    if (at.closest("th[data-sort]")) return () => document.querySelector(`th[data-sort=${at.parentElement.dataset.sort}] button`);
    if (at.closest(".counts")) return () => document.querySelector(`.counts a[data-show="${at.dataset.show}"]`);
    return null;
  }

  function take(page) {
    if (!page.getElementById("rows") !== !document.getElementById("rows")) { location.reload(); return; }
    const again = focused(), top = scrollY;
    for (const part of ["#summary", "thead", "#rows", "#now"]) {
      const fresh = page.querySelector(part);
      if (fresh) document.querySelector(part).replaceWith(document.adoptNode(fresh));
    }
    document.title = page.title;
    equip();
    apply();
    again?.()?.focus({ preventScroll: true });
    scrollTo({ top, behavior: "instant" });
  }

  async function refresh() {
    const updated = document.getElementById("updated");
    try {
      const answer = await fetch(location.pathname, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      take(new DOMParser().parseFromString(await answer.text(), "text/html"));
      updated.classList.remove("lost");
      updated.firstChild.data = "As of ";
      readAt = Date.now();
    } catch {
      updated.classList.add("lost");
      updated.firstChild.data = "The exporter does not answer. This is as of ";
      readAt = Date.now() - (REFRESH_SECONDS - RETRY_SECONDS) * 1000;
    }
  }

  const isPaused = () => pause.getAttribute("aria-pressed") === "true";
  const isDue = () => Date.now() - readAt >= REFRESH_SECONDS * 1000;
  const inUse = () => !getSelection().isCollapsed;
  let busy = false;
  async function refreshWhenDue() {
    if (busy || isPaused() || document.hidden || inUse() || !isDue()) return;
    busy = true;
    await refresh();
    busy = false;
  }

  equip();
  apply();
  if (find) {
    const tools = document.getElementById("tools");
    tools.hidden = "few" in tools.dataset;
    find.addEventListener("input", () => choose("find", find.value.trim()));
    openAll.addEventListener("click", () => {
      const wanted = !rows().every(isOpen);
      for (const row of rows()) open.set(row.dataset.key, wanted);
      apply();
    });
  }
  pause.hidden = false;
  pause.addEventListener("click", () => pause.setAttribute("aria-pressed", String(!isPaused())));
  document.addEventListener("visibilitychange", refreshWhenDue);
  addEventListener("popstate", apply);
  addEventListener("pageshow", apply);
  setInterval(refreshWhenDue, 1000);
})();
