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
  pin: null, // the source whose answers are compared with
  training: false, // whether what appears in training data is marked
};

function writeLink() {
  const parts = new URLSearchParams({ data: state.data, source: state.source, search: state.search, step: state.step });
  for (const [name, value] of Object.entries(state.settings[state.search])) if (value !== SETTINGS[state.search][name]) parts.set(name, value);
  for (const name of state.hidden) parts.append("hide", name);
  for (const [name, ids] of Object.entries(state.forced)) if (ids.length) parts.set(`forced ${name}`, ids.join("."));
  for (const [name, chosen] of Object.entries(state.layer)) parts.set(`layer ${name}`, chosen.join("|"));
  if (state.pin !== null) parts.set("pin", state.pin);
  if (state.training) parts.set("training", "marked");
  history.replaceState(null, "", `#${parts}`);
}

// Whatever the link holds, only names and values of the right kind get into the state
function readLink() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const named = (start) => [...parts].filter(([key]) => key.startsWith(start)).map(([key, value]) => [key.slice(start.length), value]);
  state.data = parts.get("data");
  state.source = parts.get("source") ?? "";
  state.search = Object.hasOwn(SETTINGS, parts.get("search")) ? parts.get("search") : "greedy";
  state.step = Math.max(0, Math.floor(Number(parts.get("step")) || 0));
  state.settings = structuredClone(SETTINGS);
  for (const name of Object.keys(SETTINGS[state.search])) {
    const value = Number.parseFloat(parts.get(name));
    if (Number.isFinite(value)) state.settings[state.search][name] = value;
  }
  state.hidden = new Set(parts.getAll("hide"));
  state.forced = Object.fromEntries(named("forced ").map(([name, ids]) => [name, ids.split(".").map(Number).filter(Number.isInteger)]));
  state.layer = Object.fromEntries(named("layer ").map(([name, chosen]) => [name, chosen.split("|")]));
  state.pin = parts.get("pin");
  state.training = parts.get("training") === "marked";
}
