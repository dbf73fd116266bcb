// Saves the reading of whole pages anew: filters act at once, a cell's evidence opens beside the table. Nothing here
// knows how to compare: every address comes from a link or a form of the page.
"use strict";
(() => {
  const panel = document.getElementById("panel");
  let asking = 0;

  const parts = (html) => new DOMParser().parseFromString(html, "text/html");

  async function read(address) {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    return { answer, page: parts(await answer.text()) };
  }

  /** Put the parts of another page in place of those of this one. */
  function take(page) {
    document.title = page.title;
    for (const old of document.querySelectorAll("[data-part]")) {
      const fresh = page.getElementById(old.id);
      if (fresh) old.replaceWith(document.adoptNode(fresh));
    }
    for (const old of document.querySelectorAll(".slider")) {
      const fresh = page.getElementById(old.id);
      if (!fresh) continue;
      old.dataset.edges = fresh.dataset.edges;
      for (const input of old.querySelectorAll("input")) input.max = fresh.querySelector("input").max;
      for (const input of old.nextElementSibling.querySelectorAll("input")) {
        input.placeholder = page.getElementById(input.id).placeholder;
      }
      set(old);
    }
    const carried = page.querySelector("form[data-live]");
    for (const form of document.querySelectorAll('form[action$="/compare/with"]')) renew(form, carried);
    document.getElementById("told").textContent = document.getElementById("found").innerText;
    shown();
  }

  /** The hidden fields of a form carry the comparison as it is now. */
  function renew(form, fresh) {
    if (!fresh) return;
    const own = new Set(["facet", "columns"]);
    for (const field of form.querySelectorAll('input[type="hidden"]')) if (!own.has(field.name)) field.remove();
    for (const field of fresh.querySelectorAll('input[type="hidden"]')) {
      if (!own.has(field.name)) form.prepend(field.cloneNode());
    }
  }

  /** Controls that need scripts. */
  function shown() {
    for (const one of document.querySelectorAll("[data-copy]")) one.hidden = !navigator.clipboard;
  }

  async function filter(form) {
    const mine = ++asking;
    const address = `${form.action}?${new URLSearchParams(new FormData(form))}`;
    try {
      const { answer, page } = await read(address);
      if (mine !== asking) return;
      if (!answer.ok) {
        const problem = page.querySelector('[role="alert"]');
        const results = document.getElementById("results");
        results.querySelector('[role="alert"]')?.remove();
        if (problem) results.prepend(document.adoptNode(problem));
        return;
      }
      history.replaceState(null, "", answer.url);
      take(page);
    } catch {
      if (mine === asking) form.submit();
    }
  }

  for (const form of document.querySelectorAll("form[data-live]")) {
    form.addEventListener("change", () => filter(form));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      filter(form);
    });
  }

  /** A number as people type it. */
  function size(text) {
    const [, digits, letter] = /^([0-9.]+) *([kMBT]?)/.exec(text) ?? [];
    return Number(digits) * { k: 1e3, M: 1e6, B: 1e9, T: 1e12 }[letter || "one"] || Number(digits);
  }

  /** Put a slider where its two fields say. */
  function set(slider) {
    const edges = slider.dataset.edges.split("|");
    const sizes = edges.map(size);
    const [low, high] = slider.querySelectorAll("input");
    const [from, to] = slider.nextElementSibling.querySelectorAll("input");
    const near = (text, otherwise) => {
      const wanted = size(text);
      if (Number.isNaN(wanted)) return otherwise;
      const away = sizes.map((one) => Math.abs(one - wanted));
      return away.indexOf(Math.min(...away));
    };
    low.value = near(from.value, 0);
    high.value = near(to.value, edges.length - 1);
  }

  for (const slider of document.querySelectorAll(".slider")) {
    const [low, high] = slider.querySelectorAll("input");
    const [from, to] = slider.nextElementSibling.querySelectorAll("input");
    slider.addEventListener("input", (event) => {
      const edges = slider.dataset.edges.split("|");
      if (Number(low.value) > Number(high.value)) event.target.value = event.target === low ? high.value : low.value;
      from.value = low.value === "0" ? "" : edges[low.value];
      to.value = Number(high.value) === edges.length - 1 ? "" : edges[high.value];
      low.setAttribute("aria-valuetext", edges[low.value]);
      high.setAttribute("aria-valuetext", edges[high.value]);
    });
    set(slider);
    slider.hidden = false;
  }

  for (const finder of document.querySelectorAll("[data-find]")) {
    const input = finder.querySelector("input");
    finder.hidden = false;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const one of finder.closest("form").querySelectorAll("[data-words]")) {
        one.hidden = !words.every((word) => one.dataset.words.includes(word));
      }
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }

  document.addEventListener("click", async (event) => {
    const plain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      await navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).href);
      copy.textContent = "Copied";
      return;
    }
    const link = event.target.closest("a.cell");
    if (!link || !plain || typeof panel.showModal !== "function") return;
    event.preventDefault();
    try {
      const { page } = await read(link.href);
      const article = page.getElementById("evidence") ?? page.querySelector('[role="alert"]');
      panel.lastElementChild.replaceChildren(document.adoptNode(article));
      panel.showModal();
    } catch {
      location.assign(link.href);
    }
  });

  if (matchMedia("(max-width: 60rem)").matches) {
    for (const one of document.querySelectorAll('[data-narrow="closed"]')) one.open = false;
  }
  shown();
})();
