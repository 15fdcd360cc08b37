// Scales, ticks and the frame of a plot.

function steps(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= rough * 0.999);
  const ticks = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high * (1 + 1e-12) && ticks.length < 100; n += 1) ticks.push(+(n * step).toPrecision(12));
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
    if (ticks.length >= Math.min(4, count)) return ticks.length <= count + 3 ? ticks : ticks.filter((_, n) => n % Math.ceil(ticks.length / count) === 0);
  }
  return steps(low, high, count);
}

const brief = (value) => {
  const size = Math.abs(value);
  if (size >= 1e9 || (size > 0 && size < 1e-4)) return value.toExponential(2).replace(/\.?0+e/, "e");
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(4)}M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(4)}k`;
  return value.toLocaleString("en", { maximumSignificantDigits: 6 });
};

/** A scale from `values` to pixels; of a cost logarithmic where its magnitudes differ. */
function scaleOf(values, start, end, count, { whole = false, cost = false } = {}) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!values.length) [low, high] = [0, 1];
  const turned = cost && low > 0 && high >= 10 * low;
  if (turned) {
    const room = Math.max((high / low) ** 0.05, 1.05);
    low /= room;
    high *= room;
  } else {
    const room = (high - low) * 0.05 || Math.abs(high) * 0.05 || 1;
    low -= room;
    high += room;
  }
  const turn = turned ? Math.log : (value) => value;
  const place = (value) => start + ((turn(value) - turn(low)) / (turn(high) - turn(low))) * (end - start);
  let ticks = turned ? magnitudes(low, high, count) : steps(low, high, count);
  if (whole) ticks = ticks.filter(Number.isInteger);
  return { place, ticks, log: turned, low, high };
}

const MARGIN = { top: 26, right: 12, bottom: 42 };

/** A plot's place: an SVG that is as wide as what holds it, with a tip, and drawn anew when that changes. */
class Chart {
  constructor(figure, label) {
    this.figure = figure;
    this.canvas = figure.querySelector(".canvas");
    this.svg = shape("svg", { role: "img", "aria-label": label });
    this.tip = make("div", { class: "tip", hidden: true });
    this.canvas.replaceChildren(this.svg, this.tip);
    this.width = 0;
    figure.hidden = false;
    new ResizeObserver(() => {
      const width = Math.round(this.canvas.clientWidth);
      if (width && width !== this.width) this.redraw();
    }).observe(this.canvas);
    onChange(({ ordered }) => ordered || this.soon());
  }

  /** Before the next picture: however much changes at once, it is drawn once. */
  soon() {
    if (this.stale) return;
    this.stale = true;
    requestAnimationFrame(() => this.stale && this.redraw());
  }

  redraw() {
    this.stale = false;
    this.width = Math.round(this.canvas.clientWidth);
    if (!this.width) return;
    this.height = Math.round(Math.min(this.tallest || 380, Math.max(250, this.width * 0.6)));
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.setAttribute("height", this.height);
    this.svg.replaceChildren();
    this.tip.hidden = true;
    this.draw();
  }

  add(name, attributes, text) {
    const element = shape(name, attributes, text);
    this.svg.append(element);
    return element;
  }

  /** Axes for these values, and the titles of both. */
  frame(xs, ys, x, y) {
    const top = MARGIN.top, bottom = this.height - MARGIN.bottom;
    const up = scaleOf(ys, bottom, top, 5, y);
    const left = 12 + 7 * Math.max(2, ...up.ticks.map((tick) => brief(tick).length));
    const across = scaleOf(xs, left, this.width - MARGIN.right, Math.max(3, Math.floor(this.width / 90)), x);
    for (const tick of up.ticks) {
      this.add("line", { class: "grid", x1: left, x2: this.width, y1: up.place(tick), y2: up.place(tick) });
      this.add("text", { x: left - 6, y: up.place(tick) + 4, "text-anchor": "end" }, brief(tick));
    }
    for (const tick of across.ticks) {
      this.add("line", { class: "grid", x1: across.place(tick), x2: across.place(tick), y1: top, y2: bottom });
      this.add("text", { x: across.place(tick), y: bottom + 16, "text-anchor": "middle" }, brief(tick));
    }
    const words = (axis, scale) => axis.title.slice(0, 60) + (scale.log ? " (log scale)" : "");
    this.add("text", { x: 0, y: 12 }, `↑ ${words(y, up)}`);
    this.add("text", { x: this.width - 4, y: this.height - 6, "text-anchor": "end" }, `${words(x, across)} →`);
    return { across, up, left, right: this.width - MARGIN.right, top, bottom };
  }

  showTip(left, top, name, lines) {
    this.tip.replaceChildren(make("b", {}, name), ...lines.map(([title, value]) => make("span", {}, make("i", {}, title), value)));
    this.tip.hidden = false;
    const scale = this.svg.clientWidth / this.width || 1;
    const right = Math.max(0, this.canvas.clientWidth - this.tip.offsetWidth);
    this.tip.style.left = `${Math.min(Math.max(0, left * scale + 12), right)}px`;
    const below = top * scale + 14;
    this.tip.style.top = `${below + this.tip.offsetHeight > this.canvas.clientHeight + 60 ? Math.max(0, top * scale - this.tip.offsetHeight - 12) : below}px`;
  }
}
