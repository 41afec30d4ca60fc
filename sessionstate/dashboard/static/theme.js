/* Runs before anything is painted, so that no light page flashes in a dark room. */
(() => {
  "use strict";
  const KEY = "sessionstate-theme";
  const THEMES = ["system", "dark", "light"];
  const root = document.documentElement;

  function remembered() {
    try {
      const theme = localStorage.getItem(KEY);
      return THEMES.includes(theme) ? theme : "system";
    } catch {
      return "system"; // the browser keeps nothing for this page
    }
  }

  function show(theme) {
    root.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (button) button.textContent = `Theme: ${theme}`;
    document.dispatchEvent(new Event("themechange"));
  }

  function next() {
    const theme = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // it lasts as long as the page
    }
    show(theme);
  }

  show(remembered());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    document.dispatchEvent(new Event("themechange")));
  document.addEventListener("DOMContentLoaded", () => {
    show(root.dataset.theme);
    document.getElementById("theme")?.addEventListener("click", next);
  });
})();
