// Plots of points, each a row: trade-offs between two figures, and the best so far.

const crowd = 150; // more points than this are drawn smaller, and their intervals only on the front

/** Lines of a tip: the figures of a row. */
function linesOf(row) {
  const lines = shown.filter((figure) => valueOf(figure.name, row) !== null).map((figure) => {
    const interval = intervalText(figure, row);
    return [figure.title, figureText(figure, row) + (interval ? ` (${interval})` : "")];
  });
  return [...(stateOf(row) === "complete" ? [] : [["state", stateOf(row)]]), ...lines, ["trial", `${stages[row] === "search" ? "" : `${stages[row]} `}${rows.number[row]}`]];
}

class PointPlot extends Chart {
  constructor(figure, label) {
    super(figure, label);
    this.canvas.setAttribute("tabindex", "0");
    this.canvas.setAttribute("role", "group");
    this.canvas.setAttribute("aria-label", `${label}: arrow keys move from point to point, Enter selects, S shows the row in the leaderboard`);
    this.tip.setAttribute("role", "status");
    this.points = [];
    this.active = 0;
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => this.leave());
    this.canvas.addEventListener("focus", () => this.canvas.matches(":focus-visible") && this.move(this.active));
    this.canvas.addEventListener("blur", () => this.leave());
    this.canvas.addEventListener("click", (event) => {
      const point = this.nearest(event);
      if (point) toggleSelected(point.row);
    });
    this.canvas.addEventListener("keydown", (event) => this.pressed(event));
  }

  /** One path for all points of a kind: thousands cost little. */
  dots(points, kind, radius) {
    const outline = {
      circle: (x, y) => `M${x} ${y}h0`,
      diamond: (x, y) => `M${x} ${(y - radius * 1.5).toFixed(1)}l${radius * 1.5} ${radius * 1.5} ${-radius * 1.5} ${radius * 1.5} ${-radius * 1.5} ${-radius * 1.5}z`,
      cross: (x, y) => `M${(x - radius).toFixed(1)} ${(y - radius).toFixed(1)}l${2 * radius} ${2 * radius}m${-2 * radius} 0l${2 * radius} ${-2 * radius}`,
    };
    const form = kind === "front" ? "diamond" : kind.startsWith("pruned") ? "cross" : "circle";
    if (points.length) this.add("path", { class: `dots ${kind}`, "stroke-width": form === "circle" ? 2 * radius : undefined, d: points.map(({ left, top }) => outline[form](+left.toFixed(1), +top.toFixed(1))).join("") });
  }

  /** Points of `this.points` in their places, with the front over the others and what is selected over all. */
  marks(frame) {
    for (const point of this.points) {
      point.left = frame.across.place(point.x);
      point.top = frame.up.place(point.y);
    }
    const crowded = this.points.length > crowd;
    const of = (kind) => this.points.filter((point) => point.kind === kind);
    this.dots(of("dim"), "dim", crowded ? 2 : 3);
    this.dots(of("plain"), crowded ? "plain crowded" : "plain", crowded ? 2.5 : 4);
    this.dots(of("pruned"), "pruned", crowded ? 2.5 : 3.5);
    this.dots(of("front"), "front", 4.5);
    for (const point of this.points) {
      const place = view.selected.indexOf(point.row);
      if (place >= 0) {
        this.add("circle", { class: `ring pick${place}`, cx: point.left, cy: point.top, r: 8 });
        this.add("text", { class: "numeral", x: point.left + 9, y: point.top - 6 }, String(place + 1));
      }
    }
    this.cursor = this.add("circle", { class: "cursor", r: 10, visibility: "hidden" });
  }

  nearest(event) {
    const box = this.svg.getBoundingClientRect();
    const scale = this.width / box.width;
    const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
    let best = null, least = 24 ** 2;
    for (const point of this.points) {
      if (point.kind === "dim") continue;
      const distance = (point.left - x) ** 2 + (point.top - y) ** 2;
      if (distance < least) [best, least] = [point, distance];
    }
    return best;
  }

  hover(event) {
    const point = this.nearest(event);
    if (point) this.tell(point);
    else this.leave();
  }

  leave() {
    this.tip.hidden = true;
    this.cursor?.setAttribute("visibility", "hidden");
  }

  tell(point) {
    this.showTip(point.left, point.top, rows.id[point.row], linesOf(point.row));
    for (const [name, value] of [["cx", point.left], ["cy", point.top], ["visibility", "visible"]]) this.cursor.setAttribute(name, value);
  }

  bright() {
    return this.points.filter((point) => point.kind !== "dim").sort((a, b) => a.x - b.x);
  }

  move(place) {
    const points = this.bright();
    if (!points.length) return;
    this.active = Math.min(points.length - 1, Math.max(0, place));
    this.tell(points[this.active]);
  }

  pressed(event) {
    const points = this.bright();
    const place = { ArrowRight: this.active + 1, ArrowLeft: this.active - 1, Home: 0, End: points.length - 1 }[event.key];
    if (place !== undefined) this.move(place);
    else if (!points.length) return;
    else if (event.key === "Enter" || event.key === " ") {
      toggleSelected(points[this.active].row);
      this.redraw();
      this.move(this.active);
    } else if (event.key === "s") board.show(points[this.active].row);
    else if (event.key === "Escape") this.leave();
    else return;
    event.preventDefault();
  }

  /** The points once more as a table, for who reads rather than sees: the front and what is selected. */
  tabulate(head, lines, caption) {
    const details = this.figure.querySelector("details.points");
    if (!details) return;
    const table = make("table", {}, make("caption", {}, caption), make("thead", {}, make("tr", {}, ...head.map((title) => make("th", { scope: "col" }, title)))));
    table.append(make("tbody", {}, ...lines.slice(0, 200).map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell))))));
    details.querySelector("div").replaceChildren(table);
    details.hidden = !lines.length;
  }
}

class TradeOff extends PointPlot {
  constructor(figure) {
    super(figure, "Trade-off between two figures");
    const names = data.figures.map((one) => [one.name, one.title]);
    const cost = ["latency_ms", "flops", "params"].find((name) => figures.has(name) && name !== goals[0]?.name);
    const other = goals[1]?.name || (figures.has("flops") && goals[0]?.name !== "flops" ? "flops" : cost) || data.figures[data.figures.length - 1].name;
    this.x = this.chooser("across", names, other);
    this.y = this.chooser("up", names, goals[0]?.name);
  }

  chooser(id, names, usual) {
    const select = byId(id);
    selectOf(select, names, view.plots[id] || usual);
    select.addEventListener("change", () => change({ plots: { ...view.plots, [id]: select.value } }, { keepPage: true }));
    return select;
  }

  draw() {
    const x = figures.get(this.x.value), y = figures.get(this.y.value);
    const has = (row) => stateOf(row) !== "repeated" && valueOf(x.name, row) !== null && valueOf(y.name, row) !== null;
    const bright = new Set(matching().filter(has));
    const ranked = base().filter((row) => has(row) && (stateOf(row) === "complete" || bright.has(row)));
    const front = frontOf(ranked.filter((row) => stateOf(row) === "complete" && bright.has(row)), x, y);
    const onIt = new Set(front);
    const kind = (row) => (!bright.has(row) ? "dim" : onIt.has(row) ? "front" : stateOf(row) === "complete" ? "plain" : "pruned");
    this.points = ranked.map((row) => ({ row, x: valueOf(x.name, row), y: valueOf(y.name, row), kind: kind(row) }));
    const told = this.points.length <= crowd ? this.points : this.points.filter((point) => point.kind === "front" || view.selected.includes(point.row));
    const bars = told.filter((point) => point.kind !== "dim");
    const reach = (figure, axis) => [...this.points.map((point) => point[axis]), ...bars.flatMap((point) => ends.get(figure.name)?.get(point.row) || []), ...this.bounds(figure, axis)];
    const frame = this.frame(reach(x, "x"), reach(y, "y"), x, y);
    this.limits(frame, x, y);
    for (const point of bars) this.interval(frame, point, x, y);
    if (front.length) this.add("polyline", { class: "trace", points: this.stairs(front, x, y).map(([a, b]) => `${frame.across.place(a).toFixed(1)},${frame.up.place(b).toFixed(1)}`).join(" ") });
    this.marks(frame);
    const names = `${y.title} against ${x.title}`;
    this.svg.setAttribute("aria-label", `${names}: ${this.points.length} architectures, ${front.length} on the front`);
    this.figure.querySelector("output").textContent = this.points.length ? `${front.length} of ${bright.size.toLocaleString("en")} on the front of these two` : "No row has both figures.";
    this.tabulate(["architecture", x.title, y.title], front.map((row) => [rows.id[row], figureText(x, row), figureText(y, row)]), `The front of ${names}`);
  }

  /** Limits near the points belong in the picture. */
  bounds(figure, axis) {
    const values = this.points.map((point) => point[axis]);
    const low = values.reduce((a, b) => Math.min(a, b), Infinity), high = values.reduce((a, b) => Math.max(a, b), -Infinity);
    const reach = high - low || Math.abs(high) || 1;
    return data.limits.filter((limit) => limit.figure === figure.name && limit.bound !== null && limit.bound > low - reach && limit.bound < high + reach).map((limit) => limit.bound);
  }

  limits(frame, x, y) {
    for (const limit of data.limits) {
      const [place, other] = limit.figure === x.name ? [frame.across.place(limit.bound), "x"] : limit.figure === y.name ? [frame.up.place(limit.bound), "y"] : [NaN, ""];
      const inside = other === "x" ? place >= frame.left && place <= frame.right : place >= frame.top && place <= frame.bottom;
      if (!inside) continue;
      if (other === "x") {
        this.add("line", { class: "limit", x1: place, x2: place, y1: frame.top, y2: frame.bottom });
        this.add("text", { class: "limit", x: place - 4, y: frame.bottom - 6, "text-anchor": place - frame.left > 130 ? "end" : "start" }, limit.text);
      } else {
        this.add("line", { class: "limit", x1: frame.left, x2: frame.right, y1: place, y2: place });
        this.add("text", { class: "limit", x: frame.left + 4, y: place - 4 }, limit.text);
      }
    }
  }

  interval(frame, point, x, y) {
    const left = frame.across.place(point.x), top = frame.up.place(point.y);
    const across = ends.get(x.name)?.get(point.row), up = ends.get(y.name)?.get(point.row);
    if (across) this.add("line", { class: "interval", x1: frame.across.place(across[0]), x2: frame.across.place(across[1]), y1: top, y2: top });
    if (up) this.add("line", { class: "interval", x1: left, x2: left, y1: frame.up.place(up[0]), y2: frame.up.place(up[1]) });
  }

  /** The vertices of what the front attains. */
  stairs(front, x, y) {
    const at = (row) => [valueOf(x.name, row), valueOf(y.name, row)];
    const vertices = [at(front[0])];
    for (let n = 1; n < front.length; n += 1) {
      const [before, now] = [at(front[n - 1]), at(front[n])];
      vertices.push(x.larger ? [before[0], now[1]] : [now[0], before[1]], now);
    }
    return vertices;
  }
}

const CLOCKS = {
  trials: { title: "evaluated architectures", whole: true },
  work: { title: "seconds of evaluations, summed" },
  clock: { title: "seconds since the first trial began" },
};

class SoFar extends PointPlot {
  constructor(figure) {
    super(figure, "Best so far");
    this.clock = byId("clock");
    const having = Object.keys(CLOCKS).filter((key) => key === "trials" || (key === "work" ? rows.took : rows.at).some((value) => value !== null));
    selectOf(this.clock, having.map((key) => [key, CLOCKS[key].title]), view.plots.clock || "trials");
    this.goal = byId("goal");
    selectOf(this.goal, goals.map((goal) => [goal.name, goal.title]), view.plots.goal || goals[0]?.name);
    this.goal.closest("label").hidden = goals.length < 2;
    for (const select of [this.clock, this.goal])
      select.addEventListener("change", () => change({ plots: { ...view.plots, [select.id]: select.value } }, { keepPage: true }));
  }

  /** The search's own evaluations in the order in which they ended, each with where its clock stood. */
  evaluations(goal) {
    const done = [];
    for (let row = 0; row < size; row += 1)
      if (stages[row] === "search" && ["complete", "pruned", "failed"].includes(stateOf(row))) done.push(row);
    const order = this.clock.value === "trials" ? rows.number : rows.at;
    done.sort((a, b) => (order[a] ?? Infinity) - (order[b] ?? Infinity) || rows.number[a] - rows.number[b]);
    let work = 0;
    return done.map((row, place) => {
      work += rows.took[row] ?? 0;
      return { row, x: { trials: place + 1, work, clock: rows.at[row] }[this.clock.value], y: valueOf(goal.name, row) };
    }).filter((point) => point.x !== null && point.y !== null && stateOf(point.row) !== "failed");
  }

  draw() {
    const goal = figures.get(this.goal.value) || goals[0];
    const bright = new Set(matching());
    let best = null;
    this.points = this.evaluations(goal);
    for (const point of this.points) {
      const leads = stateOf(point.row) === "complete" && (best === null || better(goal, point.y, best) < 0);
      if (leads) best = point.y;
      point.kind = leads ? "front" : stateOf(point.row) === "pruned" ? "pruned" : bright.has(point.row) ? "plain" : "dim";
    }
    const leaders = this.points.filter((point) => point.kind === "front");
    const frame = this.frame(this.points.map((point) => point.x), this.points.map((point) => point.y), CLOCKS[this.clock.value], goal);
    const vertices = leaders.flatMap((point, n) => (n ? [[point.x, leaders[n - 1].y], [point.x, point.y]] : [[point.x, point.y]]));
    if (leaders.length) vertices.push([this.points.reduce((most, point) => Math.max(most, point.x), 0), leaders[leaders.length - 1].y]);
    this.add("polyline", { class: "trace", points: vertices.map(([a, b]) => `${frame.across.place(a).toFixed(1)},${frame.up.place(b).toFixed(1)}`).join(" ") });
    this.marks(frame);
    this.svg.setAttribute("aria-label", `Best ${goal.title} so far: ${leaders.length} improvements in ${this.points.length} evaluations`);
    this.tabulate([CLOCKS[this.clock.value].title, "architecture", goal.title], leaders.map((point) => [brief(point.x), rows.id[point.row], figureText(goal, point.row)]), `Each improvement of ${goal.title}`);
  }
}
