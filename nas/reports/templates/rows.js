// The rows of the study, as the page brings them: a column a figure, a letter a choice.

const data = JSON.parse(byId("data").textContent);
const rows = data.rows;
const size = rows.id.length;
const figures = new Map(data.figures.map((figure) => [figure.name, figure]));
const shown = data.figures.filter((figure) => !figure.aside);
const goals = data.goals.filter((goal) => figures.has(goal.figure)).map((goal) => figures.get(goal.figure));

const letters = new Map(Array.from(data.letters, (letter, place) => [letter, place]));
const decode = (codes) => Int32Array.from(codes, (code) => (typeof code === "number" ? code : letters.has(code) ? letters.get(code) : -1));

const states = decode(rows.state);
const stages = rows.stage.all || Array.from(decode(rows.stage.codes), (code) => rows.stage.values[code]);
const choices = data.choices.map((choice) => ({ ...choice, values: choice.values, at: decode(choice.codes) }));

const sparse = (entries) => new Map((entries || []).map(([row, ...values]) => [row, values]));
const deviations = new Map(Object.entries(rows.deviations).map(([name, entries]) => [name, sparse(entries)]));
const ends = new Map(Object.entries(rows.ends).map(([name, entries]) => [name, sparse(entries)]));
const told = sparse(rows.told.rows);

const stateOf = (row) => data.states[states[row]];
const valueOf = (name, row) => rows.figures[name][row];
const shortId = (row) => `${rows.id[row].slice(0, 8)}…`;
const shared = new Set(rows.shared); // ranks of rows that cannot be told apart
const onFront = (row) => rows.front[row] !== "0";
const signOf = (row) => ({ 0: "", 1: "◆", 2: "◈" })[rows.front[row]];
const textsOf = (row) => (told.get(row) || []).map((text) => rows.told.texts[text]);

function numberText(value, digits) {
  if (value === null || value === undefined) return "–";
  if (Math.abs(value) >= 1e12) return value.toExponential(3);
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A figure of a row as people read it, with its deviation where there are several trainings. */
function figureText(figure, row) {
  const mean = valueOf(figure.name, row);
  const vanishes = mean && Math.abs(mean) < 0.5 / 10 ** figure.digits; // would read 0, which it is not
  const value = vanishes ? mean.toPrecision(1) : numberText(mean, figure.digits);
  const spread = deviations.get(figure.name)?.get(row);
  return spread ? `${value} ± ${numberText(spread[0], figure.digits)}` : value;
}

function intervalText(figure, row) {
  const found = ends.get(figure.name)?.get(row);
  return found ? `${numberText(found[0], figure.digits)}–${numberText(found[1], figure.digits)}` : "";
}

/** name → value of every choice that applies in a row. */
function answersOf(row) {
  return choices.filter((choice) => choice.at[row] >= 0).map((choice) => [choice.name, String(choice.values[choice.at[row]])]);
}

/** Which of two figures is better where the first differs: less than 0 for the first. */
const better = (figure, a, b) => (figure.larger ? b - a : a - b);

/** The rows of `from` that no other is better than in both figures; by x. */
function frontOf(from, x, y) {
  const known = from.filter((row) => valueOf(x.name, row) !== null && valueOf(y.name, row) !== null);
  known.sort((a, b) => better(x, valueOf(x.name, a), valueOf(x.name, b)) || better(y, valueOf(y.name, a), valueOf(y.name, b)));
  const front = [];
  for (const row of known) {
    const last = front[front.length - 1];
    const same = last !== undefined && valueOf(x.name, last) === valueOf(x.name, row) && valueOf(y.name, last) === valueOf(y.name, row);
    if (last === undefined || same || better(y, valueOf(y.name, row), valueOf(y.name, last)) < 0) front.push(row);
  }
  return front.sort((a, b) => valueOf(x.name, a) - valueOf(x.name, b));
}
