// Answers as they come: what is asked for, and what the events make of it.

function newAnswer(source) {
  return { source, state: "busy", sources: [], tokens: [], steps: [], maps: {}, beam: [], right: null, unknown: [], first: null, end: null, error: null };
}

// Reads server-sent events until the stream ends, or is aborted
async function ask(request, signal, on) {
  const response = await fetch("answer", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
    signal,
  });
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
    Object.assign(answer, { error: event.message, state: "error" });
  },
};

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
