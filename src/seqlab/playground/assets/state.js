// The whole state of the page, and how it is written into the link.

const SETTINGS = {
  greedy: {},
  sample: { temperature: 1, top_k: null, top_p: 1, seed: 1 },
  beam: { size: 4, length_penalty: 0.6 },
};
const LIST = "3 14 1 5 9 2 6 11 7";

const state = {
  data: null, // description of the data of the models that are shown
  source: "",
  hidden: new Set(), // names of models that do not answer
  search: "greedy",
  settings: structuredClone(SETTINGS), // of each search
  forced: {}, // by model: ids that its output begins with
  layer: {}, // by model: [name of an attention, number of a head or "mean"]
  step: 0, // the output token that is looked at
  pin: null, // what the answers are compared with: a source, a search with its settings, and forced tokens
  training: false, // whether what appears in training data is marked
};

function writeLink() {
  const parts = new URLSearchParams({ data: state.data, source: state.source, search: state.search, step: state.step });
  for (const [name, value] of Object.entries(state.settings[state.search])) if (value !== SETTINGS[state.search][name]) parts.set(name, value);
  for (const name of state.hidden) parts.append("hide", name);
  writeForced(parts, "forced ", state.forced);
  for (const [name, chosen] of Object.entries(state.layer)) parts.set(`layer ${name}`, chosen.join("|"));
  if (state.pin !== null) writePin(parts, state.pin);
  if (state.training) parts.set("training", "marked");
  history.replaceState(null, "", `#${parts}`);
}

function writeForced(parts, start, forced) {
  for (const [name, ids] of Object.entries(forced)) if (ids.length) parts.set(`${start}${name}`, ids.join("."));
}

function writePin(parts, pin) {
  parts.set("pin", pin.source);
  parts.set("pin search", pin.search);
  for (const [name, value] of Object.entries(pin.settings)) if (value !== SETTINGS[pin.search][name]) parts.set(`pin ${name}`, value);
  writeForced(parts, "pin forced ", pin.forced);
}

const searchIn = (parts, key) => (Object.hasOwn(SETTINGS, parts.get(key)) ? parts.get(key) : "greedy");

function settingsIn(parts, start, search) {
  const settings = { ...SETTINGS[search] };
  for (const name of Object.keys(settings)) {
    const value = Number.parseFloat(parts.get(`${start}${name}`));
    if (Number.isFinite(value)) settings[name] = value;
  }
  return settings;
}

function readPin(parts, forced) {
  if (!parts.has("pin")) return null;
  const search = searchIn(parts, "pin search");
  return { source: parts.get("pin"), search, settings: settingsIn(parts, "pin ", search), forced };
}

// Whatever the link holds, only names and values of the right kind get into the state
function readLink() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const named = (start) => [...parts].filter(([key]) => key.startsWith(start)).map(([key, value]) => [key.slice(start.length), value]);
  state.data = parts.get("data");
  state.source = parts.get("source") ?? "";
  state.search = searchIn(parts, "search");
  state.step = Math.max(0, Math.floor(Number(parts.get("step")) || 0));
  state.settings = structuredClone(SETTINGS);
  state.settings[state.search] = settingsIn(parts, "", state.search);
  state.hidden = new Set(parts.getAll("hide"));
  const forcedIn = (start) => Object.fromEntries(named(start).map(([name, ids]) => [name, ids.split(".").map(Number).filter(Number.isInteger)]));
  state.forced = forcedIn("forced ");
  state.layer = Object.fromEntries(named("layer ").map(([name, chosen]) => [name, chosen.split("|")]));
  state.pin = readPin(parts, forcedIn("pin forced "));
  state.training = parts.get("training") === "marked";
}
