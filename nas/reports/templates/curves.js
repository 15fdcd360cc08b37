// Learning curves: of finalists, of the best, and of what is selected.

const trainings = new Map(Object.entries(data.curves?.rows || {}).map(([row, curves]) => [Number(row), curves.filter(([epochs]) => epochs.length)]));
const NAMED = 8; // curves with a colour and a name

const lineOf = (epochs, values, across, up) => epochs.map((epoch, n) => (values[n] === null ? "" : `${across(epoch).toFixed(1)},${up(values[n]).toFixed(1)}`)).join(" ");

/** The curves of one row in small, with their last values in words. */
function sparkline(row) {
  const curves = trainings.get(row);
  if (!curves || !curves.length) return null;
  const all = curves.flatMap(([, values]) => values.filter((value) => value !== null));
  const up = scaleOf(all, 40, 0, 2).place;
  const last = Math.max(2, ...curves.flatMap(([epochs]) => epochs));
  const svg = shape("svg", { viewBox: "-2 -2 164 44", "aria-hidden": "true" });
  for (const [epochs, values] of curves) svg.append(shape("polyline", { points: lineOf(epochs, values, (epoch) => ((epoch - 1) / (last - 1)) * 160, up) }));
  const [epochs, values] = curves[0];
  const step = Math.ceil(epochs.length / 12);
  const words = epochs.map((epoch, n) => (n % step === 0 || n === epochs.length - 1 ? `${epoch}: ${brief(values[n] ?? NaN)}` : "")).filter(Boolean).join(", ");
  return make("p", { class: "curve" }, svg, make("span", {}, make("b", {}, `${data.curves.title} by epoch `), words));
}

class Curves extends Chart {
  constructor(figure) {
    super(figure, "Learning curves");
    this.legend = byId("legend");
    this.epochs = byId("epochs");
    selectOf(this.epochs, [["all", "all"], ["half", "the second half"], ["quarter", "the last quarter"]], view.plots.epochs || "all");
    this.epochs.addEventListener("change", () => change({ plots: { ...view.plots, epochs: this.epochs.value } }, { keepPage: true }));
  }

  /** The rows whose curves are named: what is selected, or else finalists, or else the best that pass the filters. */
  named() {
    const having = (some) => some.filter((row) => trainings.has(row));
    const selected = having(view.selected);
    if (selected.length) return [selected, "selected"];
    const finalists = having(Array.from({ length: size }, (_, row) => row).filter((row) => stages[row] === "final" && rows.rank[row]));
    if (finalists.length && view.stage !== "search") return [finalists.slice(0, NAMED), "finalists"];
    const best = having(matching()).filter((row) => rows.rank[row]).sort((a, b) => rows.rank[a] - rows.rank[b] || a - b);
    return [best.slice(0, NAMED), "best that pass the filters"];
  }

  draw() {
    const [named, what] = this.named();
    const stagesShown = new Set(named.map((row) => stages[row]));
    const others = [...trainings.keys()].filter((row) => !named.includes(row) && (stagesShown.has(stages[row]) || !named.length)).slice(0, 92);
    const curves = [...others, ...named].flatMap((row) => trainings.get(row).map((curve) => this.part(row, curve)));
    const { title } = data.curves;
    const frame = this.frame(curves.flatMap((curve) => curve.epochs), curves.flatMap((curve) => curve.values.filter((value) => value !== null)), { title: "epoch", whole: true }, { title });
    for (const { row, epochs, values } of curves) {
      const place = named.indexOf(row);
      const look = place < 0 ? "training" : `training named pick${place}`;
      if (epochs.length === 1 && values[0] !== null) this.add("circle", { class: look, cx: frame.across.place(epochs[0]), cy: frame.up.place(values[0]), r: 4 });
      else this.add("polyline", { class: look, points: lineOf(epochs, values, frame.across.place, frame.up.place) });
    }
    this.svg.setAttribute("aria-label", `Learning curves of ${title}: ${named.length} named, ${others.length} others`);
    this.legend.replaceChildren(...named.map((row, place) => this.entry(row, place)));
    const left = view.selected.filter((row) => !trainings.has(row)).map(shortId);
    this.figure.querySelector("output").textContent = `Named: the ${what}.${left.length ? ` The page has no curve of ${left.join(", ")}.` : ""}`;
  }

  /** So much of a curve as is asked for; where curves are close to each other their ends are told apart in the last epochs. */
  part(row, [epochs, values]) {
    const from = epochs[epochs.length - 1] * { all: 0, half: 0.5, quarter: 0.75 }[this.epochs.value];
    const kept = epochs.map((_, n) => n).filter((n) => epochs[n] >= from);
    return { row, epochs: kept.map((n) => epochs[n]), values: kept.map((n) => values[n]) };
  }

  entry(row, place) {
    const key = shape("svg", { viewBox: "0 0 32 8", width: 32, height: 8, "aria-hidden": "true" });
    key.append(shape("polyline", { class: `training named pick${place}`, points: "0,4 32,4" }));
    const [epochs, values] = trainings.get(row)[0];
    const last = epochs[epochs.length - 1];
    const end = values.length ? `${brief(values[values.length - 1])} after ${last} epoch${last === 1 ? "" : "s"}` : "";
    return make("li", {}, key, make("code", {}, rows.id[row]), make("small", {}, end));
  }
}
