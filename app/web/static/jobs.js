// Keeps a page of jobs up to date: reads the page again when something has happened, and puts its parts in place of the
// old ones. Knows nothing of jobs; without it the page is right when it is loaded.
"use strict";
(() => {
  const SOON = 400;
  const AGAIN = 5000;
  let waiting = false;
  let source = null;

  const part = () => document.querySelector("[data-part][data-again]");

  async function renew() {
    waiting = false;
    const old = part();
    if (!old) return;
    try {
      const answer = await fetch(old.dataset.again, { headers: { Accept: "text/html" } });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(old.id);
      if (!fresh) return;
      const focused = old.contains(document.activeElement) && document.activeElement.getAttribute("href");
      old.replaceWith(document.adoptNode(fresh));
      if (focused) fresh.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
      if (!fresh.dataset.again) over(fresh);
    } catch {
      // the service is away for a moment; the next event, or the next look, tries again
    }
  }

  function over(fresh) {
    source?.close();
    const told = document.getElementById("told");
    if (told) told.textContent = fresh.querySelector(".badge")?.textContent ?? "";
  }

  function soon() {
    if (waiting) return;
    waiting = true;
    setTimeout(renew, SOON);
  }

  const first = part();
  if (!first) return;
  if (first.dataset.events) {
    source = new EventSource(first.dataset.events);
    for (const kind of ["made", "began", "progress", "ended", "waits", "cancelled", "over", "delivered", "not-delivered"]) {
      source.addEventListener(kind, (event) => {
        if (Number(event.lastEventId) > Number(first.dataset.last)) soon();
      });
    }
  } else {
    const timer = setInterval(() => (part() ? soon() : clearInterval(timer)), AGAIN);
  }
})();
