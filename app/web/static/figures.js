// Turns the picture of a chart into one that answers to the mouse, when somebody asks for it: the same specification,
// drawn by Vega in the page. Expressions are walked as trees, so nothing is evaluated as code. The picture stays when
// anything goes wrong.
"use strict";
(() => {
  const FILES = ["vega/build/vega.min.js", "vega-lite/build/vega-lite.min.js", "vega-embed/build/vega-embed.min.js"];
  const OPTIONS = {
    mode: "vega-lite",
    ast: true,
    renderer: "svg",
    actions: false,
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  };
  let loaded;

  const load = (file) =>
    new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = `/static/vendor/${file}`;
      script.onload = done;
      script.onerror = failed;
      document.head.append(script);
    });

  /** Vega and its friends, one after the other, as each needs the one before; once for the page. */
  async function library() {
    for (const file of FILES) await load(file);
    return window.vegaEmbed;
  }

  /** A specification in the colours that the reader likes. */
  function coloured(text) {
    if (!matchMedia("(prefers-color-scheme: dark)").matches) return JSON.parse(text);
    const { dark } = JSON.parse(text).usermeta.slmkg;
    return JSON.parse(text.replace(/#[0-9a-f]{6}(?=")/g, (colour) => dark[colour] ?? colour));
  }

  async function enliven(button) {
    const picture = button.closest("figure").querySelector("img");
    button.disabled = true;
    button.textContent = "Loading";
    try {
      loaded ??= library();
      const [embed, answer] = await Promise.all([loaded, fetch(button.dataset.spec)]);
      if (!answer.ok) throw new Error(answer.statusText);
      const place = document.createElement("div");
      place.className = "live";
      picture.hidden = true;
      picture.after(place);
      await embed(place, coloured(await answer.text()), OPTIONS);
      button.remove();
      picture.remove();
    } catch {
      loaded = undefined;
      picture.hidden = false;
      picture.parentElement.querySelector(".live")?.remove();
      button.textContent = "The picture cannot be brought to life here";
    }
  }

  document.documentElement.classList.add("scripted");
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-spec]");
    if (button) enliven(button);
  });
})();
