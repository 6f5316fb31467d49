// The leakage meter: what of the text appears in the training data of a model.

const seen = {}; // by model: what is known of the text `source`

const TAKE_SEEN = {
  reading(one) {
    one.state = "reading";
  },
  seen(one, event) {
    Object.assign(one, { state: "seen", found: event });
  },
  unseen(one, event) {
    Object.assign(one, { state: "unseen", message: event.message });
  },
};

// Asks for these models, unless it is known of this text
async function askSeen(names, source, signal, then) {
  const asked = names.filter((name) => seen[name]?.source !== source || seen[name].state === "unseen");
  for (const name of asked) seen[name] = { source, state: "asked" };
  if (!asked.length || !source.trim()) return;
  const mine = Object.fromEntries(asked.map((name) => [name, seen[name]]));
  const failed = (message) => {
    for (const one of Object.values(mine)) if (["asked", "reading"].includes(one.state)) TAKE_SEEN.unseen(one, { message });
    then();
  };
  try {
    await ask("seen", { models: asked, source }, signal, (event) => {
      TAKE_SEEN[event.event](mine[event.model], event);
      then();
    });
  } catch (error) {
    failed(signal.aborted ? "" : error instanceof TypeError ? "the server does not answer" : error.message);
  }
}

const foundOf = ({ model, answer }) => (state.training && seen[model.name]?.source === answer.source ? seen[model.name].found : undefined);

// The size of the longest n-gram around a token of the text that appears in training; 0 if none does
const seenRun = (context, i) => foundOf(context)?.longest[i] ?? 0;

function markSeen(token, run) {
  if (!run) return;
  token.classList.add("seen");
  token.style.setProperty("--seen", run / 5);
}

const quoted = (text) => `“${shortened(text, 90)}”`;
const similar = (one) => `${Math.floor(100 * one.similarity)}% the same`;

function seenWords(found) {
  const [one] = found.sentences;
  if (!found.count) return "no words to compare";
  if (found.count > 1) return `${found.copies} of ${found.count} sentences appear there word for word, ${found.near} more nearly`;
  if (one.copy) return "appears there, word for word";
  if (!one.nearest) return "does not appear there, nor anything like it";
  return `${found.near ? "appears there nearly" : "does not appear there"}; the most similar is ${quoted(one.nearest)}, ${similar(one)}`;
}

function ngramWords(found) {
  const shares = Object.entries(found.ngrams).filter(([, share]) => share !== null);
  return shares.length ? ` Of ${shares.map(([n, share]) => `${n} tokens in a row ${percent(share)}`).join(", of ")} appear there.` : "";
}

// The source of a pair, whose tokens are marked as those of a text are
function seenSource({ model, answer }, found) {
  if (model.continues || !found.longest.some(Boolean)) return [];
  const tokens = answer.sources.map((token, i) => {
    const made = element("span", { class: "source-token" }, token);
    markSeen(made, found.longest[i]);
    return made;
  });
  return [element("p", { class: "strip", dir: "auto", "aria-hidden": "true" }, ...tokens)];
}

function trainingPart(context) {
  const { model, answer } = context;
  const one = seen[model.name];
  if (!state.training || one?.source !== answer.source) return [];
  const note = (...words) => element("p", { class: "note", "data-part": "training" }, element("strong", {}, "Training data: "), ...words);
  if (one.state === "unseen") return [note(one.message)];
  if (one.state !== "seen") return [note(one.state === "reading" ? "being read, which is done once …" : "…")];
  const { found } = one, what = model.continues ? "your text" : "this source";
  const limit = found.complete ? "" : ` Only the first ${found.tokens.toLocaleString("en")} tokens of training are compared.`;
  const marks = found.longest.some(Boolean) ? " A line above a token: it is among 5 (thicker: 10, 15) tokens in a row that appear there." : "";
  const words = `${found.count > 1 ? "" : `${what} `}${seenWords(found)}.${ngramWords(found)}${marks}${limit}`;
  const alike = found.count > 1 ? found.sentences.filter((each) => each.nearest) : [];
  const items = alike.map((each) => element("li", {}, `${quoted(each.text)} ${each.copy ? "appears there" : `is ${similar(each)} as ${quoted(each.nearest)}`}`));
  const list = items.length ? [folded("nearest in training", `training ${model.name}`, element("ul", { class: "note" }, ...items))] : [];
  return [note(words), ...seenSource(context, found), ...list];
}
