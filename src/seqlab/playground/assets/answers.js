// Answers as they come: what is asked for, and what the events make of it.

// Of the settings of a search, those that are given
const settingsGiven = (settings) => Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null));

function newAnswer(source) {
  return { source, state: "busy", sources: [], tokens: [], steps: [], maps: {}, beam: [], right: null, unknown: [], first: null, end: null, error: null };
}

const LABELS = { length_penalty: "Length penalty", temperature: "Temperature", top_k: "Top k", top_p: "Top p", seed: "Seed", size: "Hypotheses" };

// A message in the words of the page
const inItsWords = (message) => message.replace(/^decoding: (\w+)/, (whole, name) => LABELS[name] ?? whole);

function post(address, request, signal) {
  return fetch(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request), signal });
}

// Reads server-sent events until the stream ends, or is aborted
async function ask(address, request, signal, on) {
  const response = await post(address, request, signal);
  if (!response.ok) throw new Error((await response.json()).error);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (text + value).split("\n\n");
    text = parts.pop();
    for (const part of parts) on(JSON.parse(part.slice(part.indexOf("\ndata: ") + 7)));
  }
}

const TAKE = {
  start(answer, event) {
    Object.assign(answer, { sources: event.source, right: event.right, unknown: event.unknown, first: event.first });
  },
  beam(answer, event) {
    answer.beam.push(event.candidates);
  },
  token(answer, event) {
    answer.tokens.push(event.text);
    answer.steps.push(event);
    for (const [layer, heads] of Object.entries(event.attention)) (answer.maps[layer] ??= []).push(heads);
  },
  end(answer, event) {
    Object.assign(answer, { end: event, state: "done" });
  },
  error(answer, event) {
    Object.assign(answer, { error: inItsWords(event.message), state: "error" });
  },
};

const looking = {}; // by model: what aborts the question of where it looked

// Asks where a language model looked when it wrote the token that is looked at; its text has too many tokens for all
async function lookAt(model, answer, then) {
  const step = state.step;
  if (answer.state !== "done" || !answer.steps[step] || answer.lookedFor === step) return;
  answer.lookedFor = step;
  looking[model.name]?.abort();
  const { signal } = (looking[model.name] = new AbortController());
  const earlier = answer.steps.slice(0, step);
  const written = earlier.filter((one) => !one.prompt).map((one) => one.id);
  try {
    const response = await post("look", { model: model.name, source: answer.source, written, step }, signal);
    if (!response.ok) return;
    const maps = await response.json();
    const before = [answer.first ?? "start", ...earlier.map((one) => one.piece)].slice(-Object.values(maps)[0][0].length);
    answer.looked = { step, before, maps };
    then();
  } catch {
    // Another token is looked at by now, or the server has gone, which the next question will say
  }
}

const bits = (p) => (p > 0 ? -Math.log2(p) : 99);
const percent = (p) => (p >= 0.0995 || p === 0 ? `${Math.round(100 * p)}%` : p >= 0.0001 ? `${Number((100 * p).toPrecision(1))}%` : "<0.01%");

// The attention of one layer and head, or of the mean of its heads, in the form that a heat map takes
function looks(answer, layer, head) {
  const row = (heads) => (head === "mean" ? heads[0].map((_, i) => Math.round(heads.reduce((sum, one) => sum + one[i], 0) / heads.length)) : heads[head - 1]);
  return { sources: answer.sources, tokens: answer.tokens, maps: { [layer]: (answer.maps[layer] ?? []).map(row) } };
}

// How the surprise of a text adds up: of the part that was typed, without its first token
function perplexity(steps) {
  const typed = steps.filter((one) => one.prompt);
  const each = typed.reduce((sum, one) => sum + bits(one.p), 0) / typed.length;
  const costly = [...typed].sort((a, b) => a.p - b.p).slice(0, 5);
  return { count: typed.length, each, perplexity: 2 ** each, costly };
}

// What changed between two answers: tokens by position, attention as the share that moved
function difference(before, after, layer, head) {
  const changed = after.steps.map((one, i) => one.id !== before.steps[i]?.id);
  const [old, now] = [before, after].map((one) => looks(one, layer, head).maps[layer]);
  const same = before.sources.length === after.sources.length;
  const moved = after.steps.map((_, i) => (same && old[i] && now[i] ? now[i].map((share, j) => share - old[i][j]) : null));
  return { changed, moved, share: moved.map((row) => row && row.reduce((sum, one) => sum + Math.abs(one), 0) / 2) };
}
