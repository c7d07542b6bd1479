"use strict";
// Colours: as the system has them until somebody chooses. This runs before anything is painted; all else needs no script.
(() => {
  const root = document.documentElement;
  const SCHEMES = ["system", "light", "dark"];
  const KEY = "hullmark-scheme";
  const kept = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const keep = (scheme) => { try { localStorage.setItem(KEY, scheme); } catch { /* not kept */ } };
  let scheme = SCHEMES.includes(kept()) ? kept() : "system";
  const paint = () => { if (scheme === "system") delete root.dataset.scheme; else root.dataset.scheme = scheme; };
  paint();
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("scheme");
    const name = () => { button.textContent = `Colours: ${scheme}`; };
    button.addEventListener("click", () => {
      scheme = SCHEMES[(SCHEMES.indexOf(scheme) + 1) % SCHEMES.length];
      keep(scheme);
      paint();
      name();
    });
    name();
    button.hidden = false;
  });
})();
