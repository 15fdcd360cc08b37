// Tables that stand in the page as they are, such as that of finalists: they sort by their headers.

const original = new Map(); // a row → its place as it was written

function sortBoard(table, header, direction) {
  const words = header.dataset.kind === "text";
  const sign = direction === "ascending" ? 1 : -1;
  const number = (text) => parseFloat(text.replace(/,/g, ""));
  const missing = (text) => (words ? text === "" : Number.isNaN(number(text)));
  const compare = (a, b) => (words ? (a < b ? -1 : a > b ? 1 : 0) : number(a) - number(b));
  const bodies = Array.from(table.tBodies, (body) => [body.rows[0].cells[header.cellIndex].textContent.trim(), body]);
  bodies.sort(([a, first], [b, second]) => missing(a) - missing(b) || (missing(a) ? 0 : sign * compare(a, b)) || original.get(first) - original.get(second));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", direction);
  table.append(...bodies.map(([, body]) => body));
}

function makeSortable(table) {
  Array.from(table.tBodies).forEach((body, n) => original.set(body, n));
  for (const header of table.tHead.rows[0].cells) {
    const button = make("button", { type: "button" }, header.textContent.trim());
    button.addEventListener("click", () => {
      const turned = { ascending: "descending", descending: "ascending" }[header.getAttribute("aria-sort")];
      sortBoard(table, header, turned || header.dataset.first || "ascending");
    });
    header.replaceChildren(button);
  }
}

function makeOpenable(table) {
  table.addEventListener("click", (event) => {
    const details = event.target.closest("tr")?.querySelector("details");
    if (!details || event.target.closest("summary, button, a") || String(getSelection())) return;
    details.open = !details.open;
  });
}
