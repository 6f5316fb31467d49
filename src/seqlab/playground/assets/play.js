// The page: its controls, who is asked when, and what is drawn again.

const PAUSE = 150; // milliseconds without typing before the models are asked
const models = []; // all that the server has
const answers = {}; // by model
const pinned = {}; // by model: the answers that are compared with
let running = new AbortController(), held = false, timer, drawing = false;

const shown = () => models.filter((one) => one.data === state.data);
const asked = () => shown().filter((one) => !state.hidden.has(one.name));
const longest = () => Math.max(1, ...asked().map((one) => answers[one.name]?.steps.length ?? 0));

// Asking

// What is asked now: a source, a search with its settings, and by model the tokens that its output begins with
const question = () => ({ source: state.source, search: state.search, settings: state.settings[state.search], forced: state.forced });

// Asks these models
async function askFor(names, into, { source, search, settings, forced }, signal) {
  for (const name of names) into[name] = newAnswer(source);
  if (!source.trim() || !names.length) {
    for (const name of names) delete into[name];
    return draw();
  }
  const mine = Object.fromEntries(names.map((name) => [name, into[name]]));
  const begun = Object.fromEntries(names.map((name) => [name, forced[name] ?? []]));
  draw();
  try {
    await ask("answer", { source, forced: begun, search, settings: settingsGiven(settings) }, signal, (event) => {
      TAKE[event.event](mine[event.model], event);
      draw();
    });
  } catch (error) {
    if (signal.aborted) return;
    const message = error instanceof TypeError ? "the server does not answer; is seqlab-play still running?" : error.message;
    for (const one of Object.values(mine)) if (one.state === "busy") TAKE.error(one, { message });
    draw();
  }
}

// Asks all models anew; what they were at is cancelled
async function askAll() {
  running.abort();
  running = new AbortController();
  writeLink();
  askTraining();
  await askFor(asked().map((one) => one.name), answers, question(), running.signal);
}

function askTraining() {
  if (state.training) askSeen(asked().map((one) => one.name), state.source, running.signal, draw);
}

function askSoon() {
  clearTimeout(timer);
  timer = setTimeout(askAll, PAUSE);
}

// What one does with a card

const act = {
  held: () => held,
  look(step) {
    if (!held && step !== state.step) act.go(step);
  },
  hold(step) {
    held = !(held && step === state.step);
    act.go(step);
  },
  go(step) {
    state.step = Math.min(Math.max(step, 0), longest() - 1);
    writeLink();
    draw();
  },
  layer(name, chosen) {
    state.layer[name] = chosen;
    writeLink();
    draw();
  },
  steps(name, count) {
    shownSteps[name] = count;
    draw();
  },
  force(name, ids) {
    state.forced[name] = ids;
    held = true;
    writeLink();
    askFor([name], answers, question(), running.signal);
  },
};

// Drawing: at most once a frame; what had the focus has it again

function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawCards();
    drawStep();
    drawStatus();
  });
}

let sought = null; // gives back the focus that a token or a button had which is not there again yet

function focused() {
  if (sought && document.activeElement === find("#cards")) return sought;
  sought = null;
  const here = document.activeElement?.closest("#cards [data-model]");
  const key = document.activeElement?.dataset.key ?? document.activeElement?.getAttribute("aria-label");
  const step = document.activeElement?.dataset.step;
  if (!here) return () => {};
  return (sought = () => {
    const card = findAll("#cards [data-model]").find((one) => one.dataset.model === here.dataset.model);
    const kept = card && findAll("[data-key], [data-step], .scroll", card).find((one) => (step !== undefined ? one.classList.contains("now") : (one.dataset.key ?? one.getAttribute("aria-label")) === key));
    const done = kept || card?.dataset.state === "done";
    (kept ?? (done ? card.querySelector(".token.now") : null) ?? find("#cards")).focus({ preventScroll: true });
    if (done) sought = null;
  });
}

function drawCards() {
  const focus = focused();
  const left = findAll("#cards .scroll").map((box) => box.scrollLeft);
  const cards = shown().flatMap((model, i) => (answers[model.name] && !state.hidden.has(model.name) ? [card(model, answers[model.name], pinned[model.name], i % 8, act)] : []));
  find("#cards").replaceChildren(...cards);
  findAll("#cards .scroll").forEach((box, i) => (box.scrollLeft = left[i] ?? 0));
  focus();
  for (const model of asked()) if (model.continues && Object.keys(model.heads).length && answers[model.name]) lookAt(model, answers[model.name], draw);
}

function drawStep() {
  const slider = find("#step");
  slider.max = longest();
  slider.value = state.step + 1;
  find("#step-text").textContent = `${Math.min(state.step + 1, longest())} of ${longest()}${held ? ", held" : ""}`;
  find("#pin").setAttribute("aria-pressed", state.pin !== null);
  find("#training").setAttribute("aria-pressed", state.training);
  find("#pinned").textContent = state.pin === null ? "" : `with those to “${shortened(state.pin.source, 60)}”`;
}

function drawStatus() {
  const all = asked().map((one) => answers[one.name]).filter(Boolean);
  const done = all.filter((one) => one.state !== "busy"), right = done.filter((one) => one.end?.match);
  const known = done.some((one) => one.end && one.end.match !== null);
  const failed = done.filter((one) => one.error).length;
  const said = [`${done.length - failed} of ${all.length} have answered`, ...(known ? [`${right.length} right`] : []), ...(failed ? [`${failed} cannot`] : [])];
  const words = all.length ? said.join(", ") : "Type something.";
  if (find("#status").textContent !== words) find("#status").textContent = words;
}

// The controls

function drawControls() {
  find("#source").value = state.source;
  find("#search").value = state.search;
  for (const settings of Object.values(state.settings)) for (const [name, value] of Object.entries(settings)) find(`#${name}`).value = value ?? "";
  for (const one of findAll("[data-of]")) one.hidden = one.dataset.of !== state.search;
  const first = shown()[0];
  find("#source-name").textContent = first.continues ? "Text to continue" : "Source";
  find("#source").rows = first.continues ? 6 : 2;
  find("#list").hidden = !first.numbers;
  find("#try-many").hidden = !first.answers;
  find("#training").hidden = !shown().some((one) => one.searchable);
  find("#task").textContent = task(first.data);
  find("#models").replaceChildren(...shown().map(modelButton));
  drawLength();
}

function modelButton(model) {
  const button = element("button", { type: "button", "aria-pressed": !state.hidden.has(model.name) }, model.name);
  button.addEventListener("click", () => {
    if (!state.hidden.delete(model.name)) state.hidden.add(model.name);
    button.setAttribute("aria-pressed", !state.hidden.has(model.name));
    askAll();
  });
  return button;
}

const LISTS = /^reversal of (\d+) to (\d+) integers (\d+)\.\.(\d+)$/;

// What the models were trained to do, in a sentence
function task(data) {
  const lists = LISTS.exec(data);
  if (lists) return `These models write a list backwards. They were trained on lists of ${lists[1]} to ${lists[2]} numbers from ${lists[3]} to ${lists[4]}: longer ones are new to them.`;
  return data ? `Trained on ${data}.` : "";
}

const numbers = () => state.source.replaceAll(",", " ").split(/\s+/).filter(Boolean);

function drawLength() {
  find("#length").value = numbers().length;
  const most = Number(LISTS.exec(shown()[0].data)?.[2] ?? Infinity);
  find("#length-text").textContent = `${numbers().length}${numbers().length > most ? `, longer than any in training (${most})` : ""}`;
}

// A longer list begins as the shorter one; what comes next looks like chance, and is the same each time
function ofLength(count) {
  const list = numbers(), [smallest, largest] = shown()[0].numbers;
  while (list.length < count) list.push(String(smallest + ((list.length * 7919 + 104729 * (list.length % 7)) % (largest - smallest + 1))));
  return list.slice(0, count).join(" ");
}

function example(model) {
  if (model.numbers) return LIST.split(" ").map((one) => Math.min(Math.max(Number(one), model.numbers[0]), model.numbers[1])).join(" ");
  if (model.data.startsWith("dates of ")) return "Wed 03 Mar 2021";
  return model.data.startsWith("numbers ") ? (model.data.includes("fr, ") ? "fr 91" : "91") : "";
}

function listen() {
  find("#source").addEventListener("input", (event) => {
    state.source = event.target.value;
    state.forced = {};
    drawLength();
    askSoon();
  });
  find("#length").addEventListener("input", (event) => {
    find("#source").value = state.source = ofLength(Number(event.target.value));
    state.forced = {};
    drawLength();
    askSoon();
  });
  find("#another").addEventListener("click", () => {
    find("#source").value = state.source = randomList(shown()[0].numbers, numbers().length);
    state.forced = {};
    askAll();
  });
  find("#try-many").addEventListener("click", () => tryMany(asked(), numbers().length, question(), draw));
  find("#search").addEventListener("change", (event) => {
    state.search = event.target.value;
    drawControls();
    askAll();
  });
  for (const [search, settings] of Object.entries(SETTINGS))
    for (const name of Object.keys(settings))
      find(`#${name}`).addEventListener("input", (event) => {
        state.settings[search][name] = event.target.value === "" ? settings[name] : event.target.valueAsNumber;
        askSoon();
      });
  find("#pick-data").addEventListener("change", (event) => {
    Object.assign(state, { data: event.target.value, forced: {}, step: 0, pin: null });
    state.source = example(shown()[0]);
    state.search = shown()[0].continues ? "sample" : "greedy"; // greedily, a language model soon repeats itself
    drawControls();
    askAll();
  });
  listenToSteps();
  find("#pin").addEventListener("click", pin);
  find("#training").addEventListener("click", () => {
    state.training = !state.training;
    writeLink();
    askTraining();
    draw();
  });
  find("#copy-link").addEventListener("click", async (event) => {
    writeLink();
    await navigator.clipboard.writeText(location.href);
    event.target.textContent = "Link copied";
  });
  addEventListener("hashchange", begin);
}

function listenToSteps() {
  find("#step").addEventListener("input", (event) => act.go(event.target.valueAsNumber - 1));
  find("#step-back").addEventListener("click", () => act.go(state.step - 1));
  find("#step-on").addEventListener("click", () => act.go(state.step + 1));
  find("#cards").addEventListener("keydown", (event) => {
    if (event.target.closest("select, input")) return;
    const on = event.target.closest("[data-step]");
    const actions = { ArrowLeft: () => act.go(state.step - 1), ArrowRight: () => act.go(state.step + 1), Escape: () => ((held = false), draw()) };
    if (on) actions.Enter = actions[" "] = () => act.hold(Number(on.dataset.step));
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });
}

function pin() {
  for (const name of Object.keys(pinned)) delete pinned[name];
  state.pin = state.pin === null ? structuredClone(question()) : null;
  if (state.pin !== null) Object.assign(pinned, structuredClone(answers));
  writeLink();
  draw();
}

// From the link to the page

async function begin() {
  readLink();
  if (!shown().length) state.data = models[0].data;
  find("#pick-data").value = state.data;
  state.source ||= example(shown()[0]);
  for (const name of Object.keys(pinned)) delete pinned[name];
  drawControls();
  held = state.step > 0;
  const answered = askAll();
  if (state.pin !== null) await askFor(asked().map((one) => one.name), pinned, state.pin, running.signal);
  await answered;
}

async function main() {
  theme();
  find("#skip").addEventListener("click", () => find("#source").focus());
  models.push(...(await (await fetch("models")).json()));
  const data = [...new Set(models.map((one) => one.data))];
  find("#pick-data").append(...data.map((one) => element("option", { value: one }, one || "unknown data")));
  find("#data-label").hidden = data.length === 1;
  listen();
  await begin();
}

main();
