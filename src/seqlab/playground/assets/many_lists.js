// One list proves little: of how many of the same length is each model right?

const TRIES = 20;
const many = {}; // by model: the length of the lists, how many it has answered, and how many of them rightly
let trying = new AbortController();

const randomList = ([smallest, largest], count) => Array.from({ length: count }, () => smallest + Math.floor(Math.random() * (largest - smallest + 1))).join(" ");

// Asks these models for random lists of a length, one list after another; whatever was tried before is given up
async function tryMany(models, length, { search, settings }, then) {
  trying.abort();
  const { signal } = (trying = new AbortController());
  for (const name of Object.keys(many)) delete many[name];
  for (const model of models) many[model.name] = { length, answered: 0, right: 0 };
  const forced = Object.fromEntries(models.map((one) => [one.name, []]));
  try {
    for (let i = 0; i < TRIES; i++) {
      const source = randomList(models[0].numbers, length);
      await ask("answer", { source, forced, search, settings: settingsGiven(settings) }, signal, (event) => {
        if (event.event !== "end") return;
        many[event.model].answered += 1;
        many[event.model].right += event.match ? 1 : 0;
        then();
      });
    }
  } catch {
    // It was given up for another length, or the server has gone, which the next answer will say
  }
}

function manyPart({ model }) {
  const tried = many[model.name];
  if (!tried) return [];
  return [element("p", { class: "note many" }, `right on ${tried.right} of ${tried.answered} lists of ${tried.length}`)];
}
