// The leaderboard: sorted, filtered, and so many rows at a time that ten thousand cost no more than fifty.

const columns = [
  { key: "rank", title: "rank", value: (row) => rows.rank[row] || null, text: (row) => (rows.rank[row] ? `${rows.rank[row]}${shared.has(row) ? "=" : ""}` : "") },
  { key: "front", title: "front", first: "descending", words: true, value: (row) => (onFront(row) ? rows.front[row] : ""), text: signOf },
  { key: "architecture", title: "architecture", words: true, value: (row) => rows.id[row] },
  { key: "state", title: "state", words: true, value: stateOf, text: stateOf },
  { key: "stage", title: "stage", words: true, value: (row) => stages[row], text: (row) => stages[row] },
  ...shown.map((figure) => ({
    key: `figure ${figure.name}`, title: figure.title, figure, first: figure.larger ? "descending" : "ascending",
    value: (row) => valueOf(figure.name, row), text: (row) => figureText(figure, row),
  })),
  { key: "trial", title: "trial", value: (row) => rows.number[row], text: (row) => String(rows.number[row]) },
];

function columnsShown() {
  const hidden = new Set([...(view.state === "all" ? [] : ["state"]), ...(view.stage === "all" ? [] : ["stage"])]);
  return columns.filter((column) => !hidden.has(column.key) && (!column.figure || base().some((row) => column.value(row) !== null)));
}

/** The matching rows in the order that the header asks for; what has no value comes last, either way. */
function sorted() {
  const column = columns.find((one) => one.key === view.sort) || columns[0];
  const sign = view.direction === "descending" ? -1 : 1;
  const found = matching().map((row) => [row, column.value(row)]);
  const missing = (value) => value === null || value === "";
  found.sort(([a, x], [b, y]) => missing(x) - missing(y) || (missing(x) ? 0 : sign * (x < y ? -1 : x > y ? 1 : 0)) || a - b);
  return found.map(([row]) => row);
}

const board = {
  body: null,
  head: null,
  opened: new Set(),
  order: [],

  start() {
    const region = byId("board");
    if (!region || !size) return;
    this.head = make("tr");
    this.body = make("tbody");
    this.caption = make("caption", { class: "unseen" });
    region.replaceChildren(make("table", { class: "board rows" }, this.caption, make("thead", {}, this.head), this.body));
    this.pager = byId("pager");
    this.pager.hidden = false;
    this.count = byId("count");
    for (const [id, step] of [["first", -Infinity], ["back", -1], ["next", 1], ["last", Infinity]])
      byId(id).addEventListener("click", () => this.turn(step));
    const length = byId("length");
    selectOf(length, [25, 50, 100, 250].map((n) => [String(n), `${n} a page`]), String(view.length));
    length.addEventListener("change", () => change({ length: Number(length.value) }));
    this.body.addEventListener("click", (event) => this.clicked(event));
    onChange(() => this.draw());
    this.draw();
  },

  turn(step) {
    const last = Math.max(0, Math.ceil(this.order.length / view.length) - 1);
    change({ page: Math.min(last, Math.max(0, view.page + step)) }, { keepPage: true });
    byId("board").scrollTop = 0;
  },

  draw() {
    const began = performance.now();
    this.order = sorted();
    const shownColumns = columnsShown();
    const last = Math.max(0, Math.ceil(this.order.length / view.length) - 1);
    view.page = Math.min(view.page, last);
    const from = view.page * view.length, to = Math.min(from + view.length, this.order.length);
    this.caption.textContent = `Leaderboard, ${this.order.length} rows`;
    byId("board").classList.toggle("tall", to - from > 25);
    this.header(shownColumns);
    const lines = this.order.slice(from, to).flatMap((row) => this.line(row, shownColumns));
    this.body.replaceChildren(...(lines.length ? lines : [this.nothing(shownColumns.length + 1)]));
    const write = (number) => number.toLocaleString("en");
    const all = base().length;
    this.count.textContent = this.order.length
      ? `${write(from + 1)}–${write(to)} of ${write(this.order.length)} rows${this.order.length < all ? ` (${write(all)} without filters)` : ""}`
      : "no row";
    for (const [id, off] of [["first", !view.page], ["back", !view.page], ["next", view.page >= last], ["last", view.page >= last]]) byId(id).disabled = off;
    byId("board").dataset.milliseconds = (performance.now() - began).toFixed(1);
  },

  nothing(width) {
    return make("tr", {}, make("td", { colspan: width, class: "nothing" }, "No trial passes these filters."));
  },

  header(shownColumns) {
    const focused = this.head.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const cells = shownColumns.map((column) => {
      const button = make("button", { type: "button", "data-key": column.key }, column.title);
      button.addEventListener("click", () => this.sortBy(column));
      const sorts = column.key === view.sort;
      return make("th", { scope: "col", class: column.key.split(" ")[0], "aria-sort": sorts ? view.direction : undefined, title: column.figure?.meaning }, button);
    });
    this.head.replaceChildren(make("th", { scope: "col", class: "pick" }, make("span", { class: "unseen" }, "selected")), ...cells);
    if (focused) Array.from(this.head.querySelectorAll("button")).find((button) => button.dataset.key === focused)?.focus();
  },

  sortBy(column) {
    const turned = { ascending: "descending", descending: "ascending" };
    change({ sort: column.key, direction: column.key === view.sort ? turned[view.direction] : column.first || "ascending" });
  },

  line(row, shownColumns) {
    const open = this.opened.has(row);
    const picked = view.selected.indexOf(row);
    const box = make("input", { type: "checkbox", checked: picked >= 0, "aria-label": `Select ${rows.id[row]} for the plots` });
    const cells = shownColumns.map((column) => {
      if (column.key === "architecture") {
        const button = make("button", { type: "button", class: "opens", "aria-expanded": String(open), "aria-label": `${rows.id[row]}, details` }, rows.id[row]);
        return make("td", { class: "architecture" }, button);
      }
      const cell = make("td", { class: column.key.split(" ")[0] }, column.text(row));
      const interval = column.figure && intervalText(column.figure, row);
      if (interval) cell.append(make("small", {}, interval));
      return cell;
    });
    const swatch = picked >= 0 ? ` picked pick${picked}` : "";
    const line = make("tr", { "data-row": row, class: `line${swatch}` }, make("td", { class: "pick" }, box), ...cells);
    return open ? [line, this.under(row, cells.length + 1)] : [line];
  },

  under(row, width) {
    const facts = [...figures.values()].filter((figure) => valueOf(figure.name, row) !== null).map((figure) => {
      const interval = intervalText(figure, row);
      return make("div", {}, make("dt", {}, figure.title), make("dd", {}, figureText(figure, row) + (interval ? ` (${interval})` : "")));
    });
    const answers = answersOf(row).map(([name, value]) => `${name}: ${value}`).join("\n");
    const inside = make("div", { role: "group", tabindex: 0, "aria-label": `Details of ${rows.id[row]}` }, make("pre", { class: "choices" }, answers || "no choices"), make("dl", { class: "measured" }, ...facts));
    for (const text of textsOf(row)) inside.append(make("p", {}, text));
    const curve = sparkline(row);
    if (curve) inside.append(curve);
    return make("tr", { class: "under" }, make("td", { colspan: width }, inside));
  },

  clicked(event) {
    const line = event.target.closest("tr.line");
    if (!line) return;
    const row = Number(line.dataset.row);
    if (event.target.closest("td.pick")) {
      if (event.target.tagName !== "INPUT") return;
      toggleSelected(row);
      this.body.querySelector(`tr[data-row="${row}"] input`)?.focus();
      return;
    }
    if (!event.target.closest("button") && String(getSelection())) return;
    if (!this.opened.delete(row)) this.opened.add(row);
    this.draw();
    if (event.target.closest("button")) this.body.querySelector(`tr[data-row="${row}"] .opens`)?.focus();
  },

  /** Turn to the page that has the row, open it and go there. */
  show(row) {
    if (!this.order.includes(row)) change({ text: "", ranges: {}, picks: {}, state: stateOf(row), stage: stages[row], table: String(rows.table[row]) });
    const place = this.order.indexOf(row);
    this.opened.add(row);
    change({ page: Math.max(0, Math.floor(place / view.length)) }, { keepPage: true });
    const line = this.body.querySelector(`tr[data-row="${row}"]`);
    if (!line) return;
    bringIntoView(line, "center");
    line.querySelector(".opens").focus({ preventScroll: true });
  },
};
