// Light or dark: as the system has it, until the reader says otherwise.

function startTheme() {
  const button = byId("theme");
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const now = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const tell = () => {
    button.textContent = now() === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Show the page ${now() === "dark" ? "light" : "dark"}`);
  };
  try {
    const kept = localStorage.getItem("nas theme");
    if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  } catch {
    // nothing is kept of a file here
  }
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = now() === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("nas theme", root.dataset.theme);
    } catch {
      // as above
    }
    tell();
  });
  dark.addEventListener("change", tell);
  tell();
}
