// What the reader looks at: which rows, in which order, and which are picked out. It is kept in the address and for this tab, so
// that a link and a page that is written anew show the same.

const MOST_SELECTED = 8;
const tables = data.tables.map((table, key) => ({ ...table, key }));
const present = new Set(stages);

const usualState = Array.from(rows.id).some((_, row) => stateOf(row) === "complete") ? "complete" : "all";

const view = {
  stage: present.has("search") ? "search" : stages[0] || "search",
  table: "",
  state: usualState,
  text: "",
  ranges: {}, // figure → [least, most], either of them null
  picks: {}, // choice → places of its values
  sort: "rank",
  direction: "ascending",
  page: 0,
  length: 50,
  selected: [], // rows
  open: [], // rows
  plots: {}, // select → value
};

const watchers = [];
const onChange = (watcher) => watchers.push(watcher);
let matched = null, based = null;

/** Change what is looked at; whoever watches is told whether other rows are, or the same in another order. */
function change(changes, { keepPage = false } = {}) {
  Object.assign(view, changes);
  if (!keepPage) view.page = 0;
  const ordered = Object.keys(changes).every((name) => ["sort", "direction", "page", "length"].includes(name));
  if (!ordered) matched = based = null;
  remember();
  for (const watcher of watchers) watcher({ ordered });
}

/** The rows of the stage and of the table that can be compared, whatever their state. */
function base() {
  if (based) return based;
  const stage = view.stage, table = tableShown();
  const found = [];
  for (let row = 0; row < size; row += 1)
    if ((stage === "all" || stages[row] === stage) && (table === null || rows.table[row] === table || rows.table[row] < 0)) found.push(row);
  based = found;
  return found;
}

/** The table that is looked at: rows of several do not compare. Null where all are. */
function tableShown() {
  if (view.table === "all") return null;
  const some = tables.filter((table) => view.stage === "all" || table.stage === view.stage);
  return some.some((table) => String(table.key) === view.table) ? Number(view.table) : some.length ? some[0].key : null;
}

/** Those of them that every filter lets through. */
function matching() {
  if (matched) return matched;
  const tests = [];
  if (view.state !== "all") tests.push((row) => stateOf(row) === view.state);
  for (const [name, [least, most]] of Object.entries(view.ranges)) {
    const column = rows.figures[name];
    tests.push((row) => column[row] !== null && (least === null || column[row] >= least) && (most === null || column[row] <= most));
  }
  for (const choice of choices) {
    const picked = Object.hasOwn(view.picks, choice.name) ? new Set(view.picks[choice.name]) : null;
    if (picked && picked.size) tests.push((row) => picked.has(choice.at[row]));
  }
  for (const term of view.text.toLowerCase().split(",").map((word) => word.trim()).filter(Boolean)) tests.push(termTest(term));
  matched = base().filter((row) => tests.every((test) => test(row)));
  return matched;
}

/** Whether a row has the words in its id, its state, what is told of it, or a choice written `name: value`. */
function termTest(term) {
  const within = choices
    .map((choice) => [choice.at, choice.values.map((value) => `${choice.name}: ${value}`.toLowerCase().includes(term))])
    .filter(([, hits]) => hits.includes(true));
  const texts = rows.told.texts.map((text) => text.toLowerCase().includes(term));
  return (row) =>
    rows.id[row].includes(term) ||
    String(rows.number[row]) === term ||
    stateOf(row) === term ||
    within.some(([at, hits]) => at[row] >= 0 && hits[at[row]]) ||
    (told.has(row) && told.get(row).some((text) => texts[text]));
}

function toggleSelected(row) {
  const others = view.selected.filter((other) => other !== row);
  const selected = others.length < view.selected.length ? others : [...view.selected, row].slice(-MOST_SELECTED);
  change({ selected }, { keepPage: true });
}

// ---- kept in the address and for this tab ----

const KEY = `nas ${document.title}`;
const KEPT = ["stage", "table", "state", "text", "ranges", "picks", "sort", "direction", "page", "length", "plots"];

function remember() {
  const kept = Object.fromEntries(KEPT.map((name) => [name, view[name]]));
  const text = JSON.stringify({ ...kept, selected: view.selected.map((row) => `${stages[row]} ${rows.number[row]}`) });
  try {
    sessionStorage.setItem(KEY, text);
    history.replaceState(null, "", `#view=${encodeURIComponent(text)}`);
  } catch {
    // a browser that keeps nothing of a file shows it as it begins
  }
}

function recall() {
  let kept = null;
  try {
    const asked = location.hash.startsWith("#view=") ? decodeURIComponent(location.hash.slice(6)) : sessionStorage.getItem(KEY);
    kept = JSON.parse(asked);
  } catch {
    return;
  }
  if (!kept || typeof kept !== "object") return;
  for (const name of ["stage", "table", "state", "text", "sort"]) if (typeof kept[name] === "string") view[name] = kept[name].slice(0, 1000);
  if (kept.direction === "descending") view.direction = kept.direction;
  if ([25, 50, 100, 250].includes(kept.length)) view.length = kept.length;
  if (Number.isInteger(kept.page) && kept.page >= 0) view.page = kept.page;
  const bound = (value) => value === null || Number.isFinite(value);
  for (const [name, range] of Object.entries(kept.ranges || {}))
    if (figures.has(name) && Array.isArray(range) && range.length === 2 && range.every(bound)) view.ranges[name] = range;
  for (const choice of choices) {
    const picked = Object.hasOwn(kept.picks || {}, choice.name) ? kept.picks[choice.name] : null;
    if (Array.isArray(picked)) view.picks[choice.name] = picked.filter(Number.isInteger);
  }
  for (const [name, value] of Object.entries(kept.plots || {})) if (typeof value === "string") view.plots[name] = value;
  const places = new Map(Array.from(rows.number, (number, row) => [`${stages[row]} ${number}`, row]));
  if (Array.isArray(kept.selected)) view.selected = kept.selected.filter((name) => places.has(name)).map((name) => places.get(name)).slice(0, MOST_SELECTED);
  if (view.stage !== "all" && !present.has(view.stage)) view.stage = present.has("search") ? "search" : stages[0] || "search";
  if (view.state !== "all" && !data.states.includes(view.state)) view.state = usualState;
}
