// Puts YASGUI in the place of the plain form. It asks this service alone: what it would fetch from elsewhere
// (prefix.cc, Linked Open Vocabularies) is replaced by our own prefixes and terms, and addresses that could name
// another endpoint are not read.
"use strict";
(() => {
  const { Yasgui, Yasqe, Yasr } = window;
  const here = document.getElementById("editor");
  const form = document.getElementById("plain");
  if (!Yasgui || !here || !form) return;

  const place = new URL(here.dataset.place, location.href).href;
  const endpoint = new URL(here.dataset.endpoint, location.href).href;
  // the longest namespace first: YASR takes the first that fits
  const prefixes = Object.fromEntries(
    Object.entries(JSON.parse(here.dataset.prefixes)).sort(([, one], [, other]) => other.length - one.length),
  );
  const sample = form.elements.namedItem("query").defaultValue;
  const once = (make) => {
    let kept;
    return () => (kept ??= make());
  };

  const questions = once(async () => (await (await fetch("/api/v1/queries")).json()).queries);

  /** The terms of the ontology, as the graph says: IRIs by kind. */
  const terms = once(async () => {
    const query = `PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
      PREFIX owl: <http://www.w3.org/2002/07/owl#>
      PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
      SELECT DISTINCT ?term ?kind WHERE { GRAPH <https://w3id.org/slmkg/graph/ontology> {
        { ?term a owl:Class BIND("class" AS ?kind) } UNION
        { VALUES ?type { rdf:Property owl:ObjectProperty owl:DatatypeProperty owl:AnnotationProperty }
          ?term a ?type BIND("property" AS ?kind) } } }`;
    const headers = { Accept: "application/sparql-results+json" };
    const answer = await fetch(place, { method: "POST", headers, body: new URLSearchParams({ query }) });
    if (!answer.ok) return { class: [], property: [] };
    const found = { class: [], property: [] };
    for (const row of (await answer.json()).results.bindings) found[row.kind.value].push(row.term.value);
    return found;
  });

  Yasqe.defaults.autocompleters = ["variables"];
  Yasqe.forkAutocompleter("prefixes", {
    name: "own-prefixes",
    persistenceId: null,
    get: () => Object.entries(prefixes).map(([name, namespace]) => `${name}: <${namespace}>`).sort(),
  });
  for (const kind of ["class", "property"]) {
    Yasqe.forkAutocompleter(kind, {
      name: `own-${kind}`,
      persistenceId: null,
      get: async (_, token) => {
        const begun = token?.autocompletionString ?? "";
        return (await terms())[kind].filter((one) => one.startsWith(begun)).sort();
      },
    });
  }
  Yasgui.defaults.yasqe.autocompleters = Yasqe.defaults.autocompleters;
  Yasqe.defaults.extraKeys.Tab = false;
  Yasqe.defaults.extraKeys["Shift-Tab"] = false;

  /** An error as its words, not as JSON. */
  async function told(error) {
    let problem;
    try {
      problem = JSON.parse(error.text);
    } catch {
      return undefined;
    }
    const text = document.createElement("p");
    text.textContent = [problem.title, problem.detail, problem.advice].filter(Boolean).join(". ");
    return text;
  }
  Yasr.defaults.errorRenderers = [told, ...(Yasr.defaults.errorRenderers ?? [])];

  Yasgui.Tab.prototype.getShareableLink = function link() {
    return `${place}?${new URLSearchParams({ query: this.getQuery() })}`;
  };

  // The package that makes columns wider puts <style> elements into the head, which the policy of this page forbids.
  // Their rules are taken as a constructed sheet instead; the one for the pointer while dragging is let go.
  const rules = new Set();
  const append = document.head.appendChild;
  document.head.appendChild = (node) => {
    if (!(node instanceof HTMLStyleElement)) return append.call(document.head, node);
    if (!node.textContent.startsWith("*") && !rules.has(node.textContent)) {
      rules.add(node.textContent);
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(node.textContent);
      document.adoptedStyleSheets.push(sheet);
    }
    return node;
  };

  here.hidden = false;
  document.getElementById("keys").hidden = false;
  document.getElementById("another").addEventListener("click", () => add({}));
  form.hidden = true;
  const shown = new Yasgui(here, {
    autoAddOnInit: false,
    autofocus: false,
    populateFromUrl: false,
    persistenceId: `slmkg${here.dataset.endpoint}`,
    endpointCatalogueOptions: { getData: () => [] },
    requestConfig: { endpoint, method: "POST", acceptHeaderGraph: "text/turtle" },
    yasqe: { value: sample },
    yasr: { prefixes },
  });
  window.slmkgEditor = shown;

  /** Names and roles that YASGUI leaves out, for people who cannot see the page or use no mouse. */
  function tidy() {
    const list = here.querySelector(".tabsList");
    for (const tab of list.querySelectorAll("[role=tab]")) {
      if (!document.getElementById(tab.getAttribute("aria-controls"))) tab.removeAttribute("aria-controls");
      for (const inner of tab.querySelectorAll("input")) inner.setAttribute("aria-label", "Name of the tab");
    }
    for (const tab of Object.values(shown._tabs)) tab.getYasqe()?.getInputField().setAttribute("aria-label", "SPARQL query");
    for (const one of here.querySelectorAll(".tableSizer")) one.setAttribute("aria-label", "Rows on a page");
    for (const one of here.querySelectorAll(".yasr_plugin_control[aria-controls]")) one.removeAttribute("aria-controls");
    for (const one of here.querySelectorAll(".CodeMirror-scroll")) one.tabIndex = 0;
    for (const one of here.querySelectorAll("table.dataTable th")) {
      const title = one.querySelector(".dt-column-title");
      if (title && !title.textContent) title.textContent = "#";
    }
  }

  /** The answer that came with the page belongs to no other query. */
  function forget() {
    for (const one of document.querySelectorAll("[data-answer]")) one.hidden = true;
  }

  const add = (told) => shown.addTab(true, { yasr: { settings: { pluginsConfig: { table: { compact: true, isEllipsed: false } } } }, ...told });

  /** Show a query in a tab: the one that has it, else a new one. */
  function open(text, name) {
    const there = Object.values(shown._tabs).find((tab) => tab.getPersistedJson().yasqe.value === text);
    if (there) shown.selectTabId(there.getId());
    else add({ name: name || shown.createTabName(), yasqe: { value: text } });
    return shown.getTab();
  }

  const watched = new WeakSet();
  function settle() {
    const tab = shown.getTab();
    if (tab && !watched.has(tab) && tab.getYasr()) {
      watched.add(tab);
      tab.getYasr().on("drawn", tidy);
    }
    tidy();
  }
  shown.on("tabSelect", () => { forget(); settle(); });
  shown.on("tabChange", settle);
  shown.on("query", forget);

  if (here.dataset.asked === "yes" || !shown.getTab()) open(sample, here.dataset.title);
  settle();

  for (const link of document.querySelectorAll("[data-example]")) {
    link.addEventListener("click", async (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const one = (await questions()).find((question) => question.name === link.dataset.example);
      if (!one) {
        location.assign(link.href);
        return;
      }
      open(one.text, one.name).query().catch(() => {});
      settle();
      document.getElementById("said").textContent = `${one.title}: in the editor, and asked`;
      if (here.getBoundingClientRect().top < 0 || here.getBoundingClientRect().top > innerHeight / 2) here.scrollIntoView();
    });
  }

  // things of ours have a page here
  for (const kind of ["click", "auxclick"]) {
    here.addEventListener(kind, (event) => {
      const link = event.target.closest?.("a.iri");
      if (link?.href.startsWith(here.dataset.base)) link.href = here.dataset.resource + link.href.slice(here.dataset.base.length);
    }, true);
  }
})();
