// What narrows the leaderboard and every plot: words, a state, a stage, and least and most of a figure.

const filters = {
  start() {
    const bar = byId("filters");
    if (!bar || !size) return;
    bar.hidden = false;
    this.text = byId("words");
    this.text.addEventListener("input", () => change({ text: this.text.value }));
    this.bind("state", (value) => ({ state: value }));
    this.bind("stage", (value) => ({ stage: value, table: "" }));
    this.bind("table", (value) => ({ table: value }));
    this.figure = byId("figure");
    selectOf(this.figure, data.figures.map((figure) => [figure.name, figure.title]), goals[0]?.name);
    this.least = byId("least");
    this.most = byId("most");
    this.figure.addEventListener("change", () => this.fill());
    for (const input of [this.least, this.most]) input.addEventListener("change", () => this.range());
    byId("clear").addEventListener("click", () => change({ text: "", ranges: {}, picks: {} }));
    onChange(({ ordered }) => ordered || this.draw());
    this.draw();
  },

  bind(id, changes) {
    const select = byId(id);
    select.addEventListener("change", () => change(changes(select.value)));
  },

  /** Every option says how many rows it has. */
  draw() {
    if (document.activeElement !== this.text) this.text.value = view.text;
    const some = base();
    const counts = new Map();
    for (const row of some) counts.set(stateOf(row), (counts.get(stateOf(row)) || 0) + 1);
    const kept = data.states.filter((state) => counts.has(state) || state === view.state);
    selectOf(byId("state"), [...kept.map((state) => [state, `${state} (${(counts.get(state) || 0).toLocaleString("en")})`]), ["all", `all (${some.length.toLocaleString("en")})`]], view.state);
    selectOf(byId("stage"), [...[...present].map((stage) => [stage, stage]), ...(present.size > 1 ? [["all", "all"]] : [])], view.stage);
    byId("stage").closest("label").hidden = present.size < 2;
    const comparable = tables.filter((table) => view.stage === "all" || table.stage === view.stage);
    selectOf(byId("table"), [...comparable.map((table) => [String(table.key), table.headline]), ["all", "all; their rows do not compare"]], view.table === "all" ? "all" : String(tableShown()));
    byId("table").closest("label").hidden = comparable.length < 2;
    this.fill();
    this.chips();
  },

  fill() {
    const [least, most] = view.ranges[this.figure.value] || [null, null];
    if (document.activeElement !== this.least) this.least.value = least ?? "";
    if (document.activeElement !== this.most) this.most.value = most ?? "";
  },

  range() {
    const read = (input) => (input.value.trim() === "" || Number.isNaN(input.valueAsNumber) ? null : input.valueAsNumber);
    const range = [read(this.least), read(this.most)];
    const ranges = { ...view.ranges, [this.figure.value]: range };
    if (range[0] === null && range[1] === null) delete ranges[this.figure.value];
    change({ ranges });
  },

  chips() {
    const found = [];
    for (const [name, [least, most]] of Object.entries(view.ranges)) {
      const title = figures.get(name).title;
      const text = least !== null && most !== null ? `${title} from ${least} to ${most}` : least !== null ? `${title} at least ${least}` : `${title} at most ${most}`;
      found.push(chip(text, () => {
        const { [name]: _, ...ranges } = view.ranges;
        change({ ranges });
      }));
    }
    for (const choice of choices) {
      const picked = Object.hasOwn(view.picks, choice.name) ? view.picks[choice.name] : [];
      if (picked.length)
        found.push(chip(`${choice.name}: ${picked.map((place) => (place < 0 ? "absent" : choice.values[place])).join(" or ")}`, () => {
          const { [choice.name]: _, ...picks } = view.picks;
          change({ picks });
        }));
    }
    byId("chips").replaceChildren(...found);
    byId("clear").hidden = !found.length && !view.text;
  },
};
