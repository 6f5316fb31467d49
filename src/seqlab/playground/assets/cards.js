// One model's answer as a card: its tokens, where it looked, what else it considered, its beam.

const shownSteps = {}; // by model: how many steps of its beam are shown

function tokenSpan(one, i, context) {
  const { answer, act, diff } = context;
  const classes = ["token"];
  if (i === state.step) classes.push("now");
  if (one.forced) classes.push("forced");
  if (one.prompt) classes.push("prompt");
  if (one.right === false) classes.push("wrong");
  if (diff?.changed[i]) classes.push("changed");
  if (diff?.share[i] > 10) classes.push("moved");
  const how = [`${percent(one.p)}, ${bits(one.p).toFixed(1)} bits`];
  if (one.right === false) how.push("wrong");
  if (one.forced) how.push("chosen by you");
  if (diff?.changed[i]) how.push("changed");
  const run = one.prompt ? seenRun(context, i + 1) : 0;
  if (run) how.push(`in training, among ${run} tokens in a row`);
  const text = context.model.continues ? one.piece : one.text;
  const made = element("span", { class: classes.join(" "), role: "button", tabindex: i === state.step ? 0 : -1, title: how.join(", "), "aria-label": `${one.text}, ${how.join(", ")}`, "data-step": i }, element("span", { class: "word" }, text));
  if (i === state.step && act.held()) made.setAttribute("aria-pressed", "true");
  made.style.setProperty("--bits", Math.min(bits(one.p), 8));
  markSeen(made, run);
  if (!context.model.continues && answer.steps.length <= 40) made.append(element("small", {}, percent(one.p)));
  return made;
}

function tokensLine(context) {
  const { model, answer, act } = context;
  const line = element("p", { class: model.continues ? "text" : "tokens", dir: "auto", role: "group", "aria-label": `Answer of ${model.name}` });
  if (answer.first) {
    const first = element("span", { class: "first" }, answer.first);
    markSeen(first, seenRun(context, 0));
    line.append(first);
  }
  line.append(...answer.steps.map((one, i) => tokenSpan(one, i, context)));
  const at = (event) => event.target.closest("[data-step]")?.dataset.step;
  line.addEventListener("pointerover", (event) => at(event) !== undefined && act.look(Number(at(event))));
  line.addEventListener("click", (event) => at(event) !== undefined && act.hold(Number(at(event))));
  return line;
}

function verdict(answer) {
  if (answer.state === "error") return element("span", { class: "class bad" }, "cannot answer");
  if (answer.state === "busy") return element("span", { class: "class" }, "…");
  if (answer.unknown.length) return element("span", { class: "class bad" }, "unknown input");
  if (answer.end.match !== null) return element("span", { class: `class ${answer.end.match ? "good" : "bad"}` }, answer.end.match ? "right" : "wrong");
  return element("span", { class: "class" }, answer.end.complete || !answer.sources.length ? "done" : "cut off");
}

// The source, each token shaded by how much the model looked at it
function sourceStrip(view, layer, diff) {
  const shares = view.maps[layer][state.step] ?? [];
  const moved = diff?.moved[state.step];
  const tokens = view.sources.map((token, i) => {
    const made = element("span", { class: "source-token", title: `${token}: ${shares[i] ?? 0}%` }, token);
    made.style.setProperty("--share", shares[i] ?? 0);
    if (moved && Math.abs(moved[i]) >= 5) made.append(element("small", {}, `${moved[i] > 0 ? "+" : "−"}${Math.abs(moved[i])}`));
    return made;
  });
  return element("p", { class: view.text ? "strip text" : "strip", dir: "auto", "aria-hidden": "true" }, ...tokens);
}

function layerOf(model) {
  const names = Object.keys(model.heads);
  const [layer, head] = state.layer[model.name] ?? [];
  const known = Object.hasOwn(model.heads, layer) ? layer : names.at(-1);
  return [known, Number(head) >= 1 && Number(head) <= model.heads[known] ? Number(head) : "mean"];
}

function choice(label, key, options, value, change) {
  const select = element("select", { "data-key": key }, ...options.map(([one, text]) => element("option", { value: one }, text)));
  select.value = value;
  select.addEventListener("change", () => change(select.value));
  return element("label", {}, `${label} `, select);
}

// Of a text, the page asks where the model looked for one token at a time (see `lookAt`); until the answer comes, the
// token before stays
function looksInText(answer, layer, head) {
  if (!answer.looked) return null;
  const { step, before, maps } = answer.looked, tokens = [], rows = [];
  tokens[state.step] = answer.tokens[step];
  rows[state.step] = maps[layer];
  return { ...looks({ sources: before, tokens, maps: { [layer]: rows } }, layer, head), text: true };
}

function attentionPart(context) {
  const { model, answer, act, diff } = context;
  if (model.continues && !Object.keys(model.heads).length) return [];
  if (answer.error) return [];
  if (!Object.keys(model.heads).length) return [element("p", { class: "attended" }, "has no attention: all it knows of the source is a vector")];
  const [layer, head] = layerOf(model);
  const view = model.continues ? looksInText(answer, layer, head) : looks(answer, layer, head);
  if (!view?.tokens.length) return [];
  const parts = [sourceStrip(view, layer, model.continues ? null : diff), element("p", { class: "attended" }, attended(view, layer, state.step), elsewhere(model, layer, view.maps[layer][state.step]))];
  const names = Object.keys(model.heads), count = model.heads[layer];
  const choices = element("div", { class: "choices" });
  const set = (one) => act.layer(model.name, one);
  if (names.length > 1) choices.append(choice("Layer", "layer", names.map((one) => [one, one]), layer, (one) => set([one, head])));
  const heads = [["mean", "mean"], ...Array.from({ length: count }, (_, i) => [i + 1, i + 1])];
  if (count > 1) choices.append(choice("Head", "head", heads, head, (one) => set([layer, one])));
  if (model.continues) return [...parts, choices];
  const map = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Attention of ${model.name}` }, heatmap(view, layer, state.step, act.hold));
  return [...parts, choices, folded("all steps", `map ${model.name}`, map)];
}

// A decoder alone also looks at what it has written itself. (Of many tokens, each share is rounded: no figure.)
function elsewhere(model, layer, shares) {
  const found = (shares ?? []).reduce((sum, one) => sum + one, 0);
  return !model.continues && layer.endsWith("self_attention") && shares && found < 95 ? "; the rest at what it wrote before" : "";
}

const opened = new Set(); // keys of the folds that are open

function folded(title, key, ...content) {
  const made = element("details", { "data-key": key }, element("summary", {}, title), ...content);
  made.open = opened.has(key);
  made.addEventListener("toggle", () => (made.open ? opened.add(key) : opened.delete(key)));
  return made;
}

// The likeliest next tokens at the step that is looked at; a click makes the model go on from one of them
function likeliestPart({ model, answer, act }) {
  const one = answer.steps[state.step];
  if (!one || one.prompt) return [];
  const begun = answer.steps.slice(0, state.step).filter((before) => !before.prompt).map((before) => before.id);
  const items = one.likeliest.map((other) => {
    const words = element("bdi", {}, other.text);
    const made = element("button", { type: "button", "data-key": `force ${other.id}`, "aria-pressed": other.id === one.id }, words, element("small", {}, percent(other.p)));
    made.setAttribute("aria-label", `${other.text}, ${percent(other.p)}: go on from it`);
    made.style.setProperty("--share", 100 * other.p);
    made.addEventListener("click", () => act.force(model.name, [...begun, other.id]));
    return element("li", {}, made);
  });
  return [element("ol", { class: "likeliest", "aria-label": `Likeliest tokens of ${model.name} at ${state.step + 1}` }, ...items)];
}

function forcedPart({ model, act }) {
  const forced = state.forced[model.name] ?? [];
  if (!forced.length) return [];
  const free = element("button", { type: "button", "data-key": "free" }, "let it choose again");
  free.addEventListener("click", () => act.force(model.name, []));
  return [element("p", { class: "note" }, `you chose token ${forced.length}; it goes on from there `, free)];
}

const bestOf = (answer) => answer.steps.filter((one) => !one.prompt).map((one) => one.id);
const stepsShown = (model, answer) => Math.min(shownSteps[model.name] ?? answer.beam.length, answer.beam.length);

function beamPart({ model, answer, act }) {
  if (!answer.beam.length) return [];
  const last = answer.beam.length, steps = stepsShown(model, answer);
  const slider = element("input", { type: "range", min: 1, max: last, value: steps, "data-key": "steps" });
  slider.value = steps;
  slider.addEventListener("input", () => act.steps(model.name, Number(slider.value)));
  const tree = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Beam of ${model.name}` }, beamTree(answer.beam, bestOf(answer), steps));
  const { outputs, likeliest, changed } = beamOutputs(answer.beam);
  const rows = outputs.map((one) => element("tr", {}, element("th", { scope: "row", dir: "auto" }, one.text), element("td", {}, logarithm(one.score, 3)), element("td", {}, logarithm(one.rank, 3))));
  const head = element("tr", {}, ...["output", "log p", "with penalty"].map((one) => element("th", { scope: "col" }, one)));
  const table = element("table", {}, element("caption", { class: "unseen" }, "Outputs of the beam"), element("thead", {}, head), element("tbody", {}, ...rows));
  const effect = changed ? `By probability alone the best would be “${likeliest.text}”: the length penalty changed it.` : "The length penalty changes nothing here.";
  const stepper = element("label", { class: "note" }, "Steps ", slider, ` ${steps} of ${last}`);
  return [stepper, tree, ...(answer.state === "done" && outputs.length ? [element("div", { class: "scroll", tabindex: 0 }, table), element("p", { class: "note" }, effect)] : [])];
}

function textPart({ model, answer }) {
  if (!model.continues || answer.state !== "done" || !answer.steps.some((one) => one.prompt)) return [];
  const found = perplexity(answer.steps);
  const costly = found.costly.map((one) => `“${one.text}” ${bits(one.p).toFixed(1)}`).join(", ");
  return [element("p", { class: "note" }, `Your text: ${found.count} tokens, perplexity ${found.perplexity.toPrecision(3)} (${found.each.toFixed(2)} bits per token). Most bits: ${costly}.`)];
}

function pinnedPart({ before, diff }) {
  if (!before) return [];
  const most = Math.max(0, ...diff.share.filter((one) => one !== null));
  const attention = diff.share.some((one) => one !== null) ? `; of the attention at most ${Math.round(most)}% moved, at token ${diff.share.indexOf(most) + 1}` : "";
  const count = diff.changed.filter(Boolean).length;
  return [element("p", { class: "note" }, "before: ", element("bdi", {}, before.end?.text || "(nothing)"), ` · ${count} of ${diff.changed.length} tokens changed${attention}`)];
}

const ARCHITECTURES = {
  fixed_vector: "one fixed vector",
  context_gru: "the vector at every step",
  bahdanau: "attention before each step",
  luong: "attention after each step",
  conv: "gated convolutions",
  transformer: "attention alone",
  gpt: "a decoder alone",
};

function architecture(model) {
  const [kind, cell] = model.kind.split(", ");
  return [ARCHITECTURES[kind] ?? kind, ...(cell ? [cell.toUpperCase()] : [])].join(", ");
}

// What a card shows; `before` is the pinned answer
function card(model, answer, before, colour, act) {
  const [layer, head] = layerOf(model);
  const comparable = before?.steps.length ? before : null;
  const context = { model, answer, act, before: comparable, diff: comparable && difference(comparable, answer, layer, head) };
  const title = element("h3", {}, element("span", {}, model.name, " ", element("small", {}, architecture(model))), verdict(answer));
  const made = element("article", { class: `card c${colour}`, "data-model": model.name, "data-state": answer.state }, title);
  if (answer.error) made.append(element("p", { class: "warning" }, answer.error));
  else made.append(tokensLine(context));
  const range = model.numbers ? `: numbers are ${model.numbers.join(" to ")}` : "";
  if (answer.unknown.length) made.append(element("p", { class: "warning" }, `does not know ${answer.unknown.join(", ")}${range}`));
  if (answer.state === "done" && answer.end.match === false) made.append(element("p", { class: "note" }, "right would be: ", element("bdi", {}, answer.right)));
  for (const part of [manyPart, forcedPart, pinnedPart, trainingPart, attentionPart, likeliestPart, textPart, beamPart, savingPart]) made.append(...part(context));
  return made;
}
