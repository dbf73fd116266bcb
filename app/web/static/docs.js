"use strict";
window.addEventListener("DOMContentLoaded", () => {
  // swagger-ui draws links inside of buttons, which nobody can reach who uses a screen reader; the buttons do the same
  const here = document.getElementById("swagger");
  const mend = () => {
    for (const one of here.querySelectorAll("button a[href]")) one.removeAttribute("href");
  };
  // it also takes over what stands behind the # of an address
  document.querySelector("a.skip").addEventListener("click", () => document.getElementById("main").focus());
  new MutationObserver(mend).observe(here, { childList: true, subtree: true });
  window.SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger", deepLinking: true, tryItOutEnabled: true, validatorUrl: null });
});
