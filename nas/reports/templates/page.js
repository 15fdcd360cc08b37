
"use strict";
// Sorting, filtering and plots. The page is whole without this: it draws from the tables and from the JSON in #data.
(() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const pointsOf = new Map(); // a row's id → its points in all plots

  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    Object.assign(element, attributes);
    element.append(...children);
    return element;
  }

  // ---- tables ----

  function numberIn(text) {
    return parseFloat(text.replace(/,/g, ""));
  }

  function compare(a, b, isText) {
    if (isText) return a < b ? -1 : a > b ? 1 : 0;
    return numberIn(a) - numberIn(b);
  }

  function isMissing(text, isText) {
    return isText ? text === "" : Number.isNaN(numberIn(text));
  }

  function sortBy(table, header, direction) {
    const isText = header.dataset.kind === "text";
    const sign = direction === "ascending" ? 1 : -1;
    const rows = Array.from(table.tBodies, (body) => [body.rows[0].cells[header.cellIndex].textContent.trim(), body]);
    rows.sort(([a, first], [b, second]) => {
      const missing = isMissing(a, isText) - isMissing(b, isText); // what was not measured comes last, either way
      return missing || sign * compare(a, b, isText) || order.get(first) - order.get(second);
    });
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", direction);
    table.append(...rows.map(([, body]) => body));
  }

  const order = new Map(); // as the leaderboard ranks them; decides between equals

  function makeSortable(table) {
    Array.from(table.tBodies).forEach((body, place) => order.set(body, place));
    for (const header of table.tHead.rows[0].cells) {
      const button = make("button", { type: "button" }, header.textContent.trim());
      button.addEventListener("click", () => {
        const turned = { ascending: "descending", descending: "ascending" }[header.getAttribute("aria-sort")];
        sortBy(table, header, turned || header.dataset.first || "ascending");
      });
      header.replaceChildren(button);
    }
  }

  function makeOpenable(table) {
    table.addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      const details = row && row.querySelector("details");
      if (!details || event.target.closest("summary, button, a") || String(getSelection())) return;
      details.open = !details.open;
    });
  }

  function makeFilter(tools, table) {
    const input = tools.querySelector("input");
    const bodies = Array.from(table.tBodies, (body) => [body, body.textContent.toLowerCase()]);
    const count = tools.querySelector("output");
    const apply = () => {
      const terms = input.value.toLowerCase().split(",").map((term) => term.trim()).filter(Boolean);
      let shown = 0;
      for (const [body, text] of bodies) {
        body.hidden = !terms.every((term) => text.includes(term));
        shown += !body.hidden;
      }
      count.textContent = terms.length ? `${shown} of ${bodies.length} rows` : "";
    };
    input.addEventListener("input", apply);
    tools.hidden = bodies.length < 8; // a few rows are read faster than filtered
  }

  function linkToPoints(table) {
    const mark = (on) => (event) => {
      const body = event.target.closest("tbody");
      for (const point of pointsOf.get(body && body.id) || []) point.classList.toggle("near", on);
    };
    for (const [on, begins, ends] of [[true, "mouseover", "focusin"], [false, "mouseout", "focusout"]]) {
      table.addEventListener(begins, mark(on));
      table.addEventListener(ends, mark(on));
    }
  }

  function showRow(id) {
    const row = document.getElementById(id);
    if (!row) return;
    for (const other of document.querySelectorAll(".marked")) other.classList.remove("marked");
    row.hidden = false;
    row.classList.add("marked");
    for (let outer = row.parentElement.closest("details"); outer; outer = outer.parentElement.closest("details")) outer.open = true;
    row.scrollIntoView({ block: "center", inline: "nearest", behavior: calm ? "auto" : "smooth" });
    const target = row.querySelector("summary") || row;
    if (target === row) row.tabIndex = -1;
    target.focus({ preventScroll: true });
  }

  /** Title and figures of a row, as its table shows them. */
  function describe(id) {
    const row = document.getElementById(id);
    if (!row) return null;
    const cells = (row.rows ? row.rows[0] : row).cells;
    const lines = Array.from(row.closest("table").tHead.rows[0].cells, (header, place) => {
      const cell = cells[place].cloneNode(true);
      for (const small of cell.querySelectorAll("small")) small.replaceWith("(", small.textContent, ")");
      return [header.textContent.trim(), cell.textContent.trim()];
    });
    const name = lines.find(([title]) => title === "architecture");
    return { name: name ? name[1] : "", lines: lines.filter((line) => line !== name && line[1] !== "") };
  }

  // ---- plots ----

  function steps(low, high, count) {
    const rough = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
    const ticks = [];
    for (let n = Math.ceil(low / step - 1e-9); n * step <= high * (1 + 1e-12); n += 1) ticks.push(+(n * step).toPrecision(12));
    return ticks;
  }

  function magnitudes(low, high, count) {
    for (const factors of [[1], [1, 3], [1, 2, 5], [1, 2, 3, 5, 7], [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9]]) {
      const ticks = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1)
        for (const factor of factors) {
          const tick = +(factor * 10 ** power).toPrecision(6);
          if (tick >= low && tick <= high) ticks.push(tick);
        }
      if (ticks.length >= Math.min(4, count)) return ticks.length <= count + 3 ? ticks : ticks.filter((_, n) => n % 2 === 0);
    }
    return steps(low, high, count);
  }

  function axis(spec, values, start, end, count) {
    let low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
    if (spec.log) {
      const room = Math.max((high / low) ** 0.06, 1.08);
      low /= room; high *= room;
    } else {
      const room = (high - low) * 0.06 || Math.abs(high) * 0.05 || 1;
      low -= room; high += room;
    }
    const turn = spec.log ? Math.log : (value) => value;
    const place = (value) => start + ((turn(value) - turn(low)) / (turn(high) - turn(low))) * (end - start);
    let ticks = spec.log ? magnitudes(low, high, count) : steps(low, high, count);
    if (spec.whole) ticks = ticks.filter(Number.isInteger);
    return { place, ticks };
  }

  const KINDS = ["plain", "front", "pruned"];
  const write = (value) => value.toLocaleString("en", { maximumSignificantDigits: 6 });

  class Plot {
    constructor(figure, spec) {
      this.spec = spec;
      this.svg = figure.querySelector("svg");
      this.tip = figure.querySelector(".tip");
      this.points = spec.points.map(([x, y, kind, id, low, high]) => ({ x, y, kind: KINDS[kind], id, low, high })).sort((a, b) => a.x - b.x);
      this.active = 0;
      this.width = 0;
      this.svg.classList.toggle("crowded", this.points.length > 150);
      figure.hidden = false;
      this.listen();
      new ResizeObserver(() => this.draw()).observe(this.svg.parentElement);
      this.draw();
    }

    shape(name, attributes, text) {
      const element = document.createElementNS(this.svg.namespaceURI, name);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      if (text !== undefined) element.textContent = text;
      return element;
    }

    draw() {
      const width = Math.round(this.svg.parentElement.clientWidth);
      if (!width || width === this.width) return;
      this.width = width;
      const height = Math.round(Math.min(320, Math.max(240, width * 0.55)));
      this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      this.svg.replaceChildren();
      const top = 26, bottom = height - 40;
      const up = axis(this.spec.y, this.points.map((p) => p.y), bottom, top, 5);
      const left = 10 + 7 * Math.max(...up.ticks.map((tick) => write(tick).length));
      const reach = this.points.flatMap((p) => [p.x, p.low ?? p.x, p.high ?? p.x]);
      const across = axis(this.spec.x, reach, left, width - 10, Math.max(3, Math.floor(width / 90)));
      this.frame(up, across, left, top, bottom, width, height);
      this.marks(up, across);
    }

    frame(up, across, left, top, bottom, width, height) {
      for (const tick of up.ticks) {
        const y = up.place(tick);
        this.svg.append(this.shape("line", { class: "grid", x1: left, x2: width, y1: y, y2: y }));
        this.svg.append(this.shape("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, write(tick)));
      }
      for (const tick of across.ticks) {
        const x = across.place(tick);
        this.svg.append(this.shape("line", { class: "grid", x1: x, x2: x, y1: top, y2: bottom }));
        this.svg.append(this.shape("text", { x, y: bottom + 16, "text-anchor": "middle" }, write(tick)));
      }
      this.svg.append(this.shape("text", { x: 0, y: 12 }, `↑ ${this.spec.y.title}`));
      const title = this.spec.x.title + (this.spec.x.log ? " (log scale)" : "");
      this.svg.append(this.shape("text", { x: width - 4, y: height - 6, "text-anchor": "end" }, `${title} →`));
    }

    marks(up, across) {
      const trace = this.stairs().map(([x, y]) => `${across.place(x).toFixed(1)},${up.place(y).toFixed(1)}`);
      this.svg.append(this.shape("polyline", { class: "trace", points: trace.join(" ") }));
      for (const point of this.points) {
        point.left = across.place(point.x);
        point.top = up.place(point.y);
        if (point.low !== undefined)
          this.svg.append(this.shape("line", { class: "interval", x1: across.place(point.low), x2: across.place(point.high), y1: point.top, y2: point.top }));
      }
      for (const point of [...this.points].sort((a, b) => (a.kind === "front") - (b.kind === "front"))) this.svg.append(this.mark(point));
      this.aim(this.active);
    }

    /** The vertices of what the front attains; a search's best so far holds to its end. */
    stairs() {
      const front = this.points.filter((point) => point.kind === "front");
      const last = this.points[this.points.length - 1];
      const vertices = front.slice(0, 1).map(({ x, y }) => [x, y]);
      front.slice(1).forEach(({ x, y }, n) => vertices.push(this.spec.upToNext ? [x, front[n].y] : [front[n].x, y], [x, y]));
      if (this.spec.x.whole) vertices.push([last.x, vertices[vertices.length - 1][1]]);
      return vertices;
    }

    mark(point) {
      const outline = { front: "M0-6.5 6.5 0 0 6.5-6.5 0Z", pruned: "M-4-4 4 4M4-4-4 4", plain: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0" };
      const at = `translate(${point.left.toFixed(1)} ${point.top.toFixed(1)})`;
      const element = this.shape("path", { class: `point ${point.kind}`, d: outline[point.kind], transform: at, role: "button", tabindex: -1 });
      if (point.element) pointsOf.get(point.id).delete(point.element);
      point.element = element;
      if (!pointsOf.has(point.id)) pointsOf.set(point.id, new Set());
      pointsOf.get(point.id).add(element);
      return element;
    }

    told(point) {
      const own = [[this.spec.x.title, write(point.x)], [this.spec.y.title, write(point.y)]];
      return describe(point.id) || { name: "", lines: own };
    }

    /** Let the Tab key reach the point in this place, and only this one. */
    aim(place) {
      this.points[this.active].element.setAttribute("tabindex", -1);
      this.active = place;
      const point = this.points[place];
      const { name, lines } = this.told(point);
      point.element.setAttribute("tabindex", 0);
      point.element.setAttribute("aria-label", [name, ...lines.map((line) => line.join(" "))].join(", "));
    }

    showTip(point) {
      for (const other of this.svg.querySelectorAll(".near")) other.classList.remove("near");
      this.tip.hidden = !point;
      if (!point) return;
      point.element.classList.add("near");
      const { name, lines } = this.told(point);
      const rows = lines.map(([title, value]) => make("span", {}, make("i", { textContent: title }), value));
      this.tip.replaceChildren(make("b", { textContent: name }), ...rows);
      const scale = this.svg.clientWidth / this.width;
      const left = Math.min(Math.max(0, point.left * scale + 12), this.svg.clientWidth - this.tip.offsetWidth);
      const below = point.top * scale + 14;
      this.tip.style.left = `${left}px`;
      this.tip.style.top = `${below}px`;
    }

    nearest(event) {
      const box = this.svg.getBoundingClientRect();
      const scale = this.width / box.width;
      const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
      let best = null, least = 24 ** 2;
      for (const point of this.points) {
        const distance = (point.left - x) ** 2 + (point.top - y) ** 2;
        if (distance < least) [best, least] = [point, distance];
      }
      return best;
    }

    move(place) {
      this.aim(Math.min(this.points.length - 1, Math.max(0, place)));
      this.points[this.active].element.focus();
    }

    listen() {
      this.svg.addEventListener("pointermove", (event) => this.showTip(this.nearest(event)));
      this.svg.addEventListener("pointerleave", () => this.showTip(null));
      this.svg.addEventListener("focusin", () => this.showTip(this.points[this.active]));
      this.svg.addEventListener("focusout", () => this.showTip(null));
      this.svg.addEventListener("click", (event) => {
        const point = this.nearest(event);
        if (point) showRow(point.id);
      });
      this.svg.addEventListener("keydown", (event) => {
        const place = { ArrowRight: this.active + 1, ArrowLeft: this.active - 1, Home: 0, End: this.points.length - 1 }[event.key];
        if (place !== undefined) this.move(place);
        else if (event.key === "Enter" || event.key === " ") showRow(this.points[this.active].id);
        else if (event.key === "Escape") this.showTip(null);
        else return;
        event.preventDefault();
      });
    }
  }

  for (const table of document.querySelectorAll("table.board")) {
    makeSortable(table);
    makeOpenable(table);
    makeFilter(table.parentElement.previousElementSibling, table);
    linkToPoints(table);
  }
  const plots = JSON.parse(document.getElementById("data").textContent);
  for (const [key, spec] of Object.entries(plots)) new Plot(document.getElementById(key), spec);
})();
