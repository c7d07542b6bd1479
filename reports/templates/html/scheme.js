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
})();
