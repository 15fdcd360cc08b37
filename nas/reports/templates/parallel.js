// Parallel coordinates: every architecture a line through its choices to its objective. A value of a choice is a button that picks it.

const LINES = 400; // that are drawn; of more, the best and others evenly apart

class Parallel extends Chart {
  constructor(figure) {
    super(figure, "Choices of the architectures, and what they come to");
    this.svg.setAttribute("role", "group");
    this.number = byId("axes");
    selectOf(this.number, [["6", "6"], ["10", "10"], ["16", "16"], ["all", "all"]], view.plots.axes || "6");
    this.number.addEventListener("change", () => change({ plots: { ...view.plots, axes: this.number.value } }, { keepPage: true }));
  }

  /** Of the variance of the first objective, the share that lies between the values of a choice. */
  explained(choice, known, goal) {
    const sums = new Map();
    let total = 0, squares = 0;
    for (const row of known) {
      const value = valueOf(goal.name, row);
      const [sum, count] = sums.get(choice.at[row]) || [0, 0];
      sums.set(choice.at[row], [sum + value, count + 1]);
      total += value;
      squares += value * value;
    }
    if (sums.size < 2) return -1;
    const middle = (total * total) / known.length;
    const between = [...sums.values()].reduce((all, [sum, count]) => all + (sum * sum) / count, 0) - middle;
    const groups = sums.size - 1, rest = known.length - sums.size;
    const within = squares - middle - between;
    return squares > middle && rest > 0 ? (between / groups) / (within / rest || 1e-12) : 0; // as F is: many values explain more by chance
  }

  axesFor(known, goal) {
    const scored = choices.map((choice) => [this.explained(choice, known, goal), choice]).filter(([score]) => score >= 0);
    const most = this.number.value === "all" ? Infinity : Number(this.number.value);
    const kept = new Set(scored.sort(([a], [b]) => b - a).slice(0, most).map(([, choice]) => choice));
    return choices.filter((choice) => kept.has(choice));
  }

  draw() {
    const goal = goals[0];
    const known = base().filter((row) => stateOf(row) === "complete" && valueOf(goal.name, row) !== null);
    const axes = this.axesFor(known, goal);
    this.figure.querySelector("output").textContent = axes.length ? "" : "Every architecture has the same choices.";
    if (!axes.length) return;
    const left = 46, right = this.width - 64, top = 64, bottom = this.height - 18;
    const x = (n) => left + (n / axes.length) * (right - left);
    const up = scaleOf(known.map((row) => valueOf(goal.name, row)), bottom, top, 6, goal);
    const place = (choice, code) => bottom - ((code + 1) / (choice.values.length + (choice.absent ? 0 : 1))) * (bottom - top);
    const passing = new Set(matching());
    const best = known.slice().sort((a, b) => better(goal, valueOf(goal.name, a), valueOf(goal.name, b)) || a - b);
    const leading = new Set(best.slice(0, Math.max(1, Math.ceil(known.length / 10))));
    const drawn = this.some(best);
    const thick = drawn.length > 100 ? " crowded" : "";
    const line = (row) => [...axes.map((choice, n) => `${x(n).toFixed(1)},${(place(choice, choice.at[row]) + this.apart(row, n)).toFixed(1)}`), `${right},${up.place(valueOf(goal.name, row)).toFixed(1)}`].join(" ");
    const kind = (row) => (view.selected.includes(row) ? `way named pick${view.selected.indexOf(row)}` : !passing.has(row) ? "way dim" : leading.has(row) ? `way best${thick}` : `way${thick}`);
    const order = (row) => (view.selected.includes(row) ? 3 : !passing.has(row) ? 0 : leading.has(row) ? 2 : 1);
    for (const row of [...drawn, ...view.selected.filter((row) => !drawn.includes(row) && valueOf(goal.name, row) !== null)].sort((a, b) => order(a) - order(b)))
      this.add("polyline", { class: kind(row), points: line(row) });
    axes.forEach((choice, n) => this.axis(choice, x(n), n, top, bottom, (code) => place(choice, code), known));
    this.add("line", { class: "axis", x1: right, x2: right, y1: top, y2: bottom });
    for (const tick of up.ticks) this.add("text", { x: right + 6, y: up.place(tick) + 4 }, brief(tick));
    this.add("text", { class: "name", x: this.width, y: 14, "text-anchor": "end" }, goal.title);
  }

  /** A few pixels, so that lines through one value are seen as several. */
  apart(row, axis) {
    return (((row * 7919 + axis * 104729) % 13) - 6) * 0.7;
  }

  some(best) {
    if (best.length <= LINES) return best;
    const first = best.slice(0, LINES / 2), rest = best.slice(LINES / 2);
    const step = rest.length / (LINES / 2);
    return [...first, ...Array.from({ length: LINES / 2 }, (_, n) => rest[Math.floor(n * step)])];
  }

  axis(choice, x, n, top, bottom, place, known) {
    this.add("line", { class: "axis", x1: x, x2: x, y1: top, y2: bottom });
    const name = this.add("text", { class: "name", x: x - (n ? 0 : 40), y: n % 2 ? 32 : 14, "text-anchor": n ? "middle" : "start" }, this.short(choice.name));
    name.append(shape("title", {}, choice.name));
    if (n % 2) this.add("line", { class: "lead", x1: x, x2: x, y1: 38, y2: top - 6 });
    const picked = Object.hasOwn(view.picks, choice.name) ? view.picks[choice.name] : [];
    const codes = [...new Set(known.map((row) => choice.at[row]))].sort((a, b) => a - b);
    const step = Math.max(1, Math.ceil((codes.length * 22) / (bottom - top)));
    codes.filter((_, k) => k % step === 0).forEach((code) => {
      const value = code < 0 ? "absent" : String(choice.values[code]);
      const on = picked.includes(code);
      const text = value.length > 12 ? `${value.slice(0, 11)}…` : value;
      const label = `${choice.name} ${value}${text === value ? "" : `, shown as ${text}`}`; // whoever speaks says what is seen
      const button = shape("g", { class: on ? "value on" : "value", role: "button", tabindex: 0, "aria-pressed": on, "aria-label": label });
      const wide = 10 + 6.5 * text.length;
      button.append(shape("rect", { x: x - wide / 2, y: place(code) - 10, width: wide, height: 20, rx: 4 }), shape("text", { x, y: place(code) + 4, "text-anchor": "middle" }, text));
      button.addEventListener("click", () => this.pick(choice, code));
      button.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        this.pick(choice, code);
        this.redraw();
        [...this.svg.querySelectorAll(".value")].find((one) => one.getAttribute("aria-label") === label)?.focus();
      });
      this.svg.append(button);
    });
  }

  short(name) {
    const room = Math.max(8, Math.floor((this.width / (Number(this.number.value) || choices.length)) / 4));
    return name.length > room ? `…${name.slice(1 - room)}` : name;
  }

  pick(choice, code) {
    const before = Object.hasOwn(view.picks, choice.name) ? view.picks[choice.name] : [];
    const after = before.includes(code) ? before.filter((one) => one !== code) : [...before, code];
    const { [choice.name]: _, ...others } = view.picks;
    change({ picks: after.length ? { ...others, [choice.name]: after } : others });
  }
}
