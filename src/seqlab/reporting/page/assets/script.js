// What reacts on the page: what is chosen, sorting and filtering of tables, lines that hide, the sentence explorer.

const data = JSON.parse(find("#data").textContent);

// One panel at a time, of those that a box names; without script all are there

function choice(select) {
  const panels = [...select.options].map((one) => document.getElementById(one.value));
  const show = () => panels.forEach((one) => (one.hidden = one.id !== select.value));
  for (const one of panels) one.classList.add("chosen");
  select.closest(".pick").hidden = false;
  select.addEventListener("change", show);
  show();
}

// Tables

function sortable(box) {
  const body = find("tbody", box), heads = findAll("thead th", box);
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a === "number" || typeof b === "number") return typeof a === "number" ? -1 : 1; // what is missing comes last
    return a.localeCompare(b, undefined, { numeric: true });
  };
  heads.forEach((head, column) =>
    find("button", head).addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => compare(value(a, column), value(b, column)));
      if (down) rows.reverse();
      body.append(...rows);
    }),
  );
  const input = find("input[type=search]", box);
  if (input) filter(input, find(".count", box), () => [...body.rows]);
}

function filter(input, count, items) {
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const item of items()) {
      const text = item.textContent.toLowerCase();
      item.hidden = !words.every((word) => text.includes(word));
      shown += !item.hidden;
    }
    count.textContent = words.length ? `${shown} of ${items().length}` : "";
  });
}

// Plots: a name in the legend hides or shows its line

function legend(figure) {
  for (const button of findAll(".legend button", figure))
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", on);
      for (const line of findAll(".series", figure))
        if (line.dataset.series === button.dataset.series) line.toggleAttribute("hidden", !on);
    });
}

// Sentences side by side

function badge(name) {
  return element("span", { class: `class ${["good", "exact"].includes(name) ? "good" : "bad"}` }, name);
}

// The words of a prediction, with those marked that the reference does not have (or not so often)
function marked(prediction, reference) {
  const left = reference.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return prediction.split(/([\p{L}\p{N}]+)/u).map((part, i) => {
    const at = left.indexOf(part.toLowerCase());
    if (at >= 0) left.splice(at, 1);
    return i % 2 && at < 0 ? element("u", {}, part) : part; // words are at odd indices
  });
}

// The command and the link that open a sentence in play, with the state that play's own links hold
function openInPlay({ play, continued }, sentence, step) {
  find("#play").hidden = !play;
  if (!play) return;
  find("#play-command").textContent = play.command;
  const state = new URLSearchParams({ data: play.data, source: sentence.source, search: continued ? "sample" : "greedy", step });
  find("#play-link").href = `${find("#play").dataset.address}#${state}`;
  find("#play-missing").textContent = play.missing.length ? `Not on this machine: ${play.missing.join(", ")}.` : "";
}

function explorer() {
  const pickData = find("#pick-data"), pickSentence = find("#pick-sentence"), search = find("#pick-filter"), slider = find("#step");
  const chosenMap = {}; // group's id → name of its map
  const here = () => data[pickData.value];
  const sentence = () => here().sentences[pickSentence.value];

  function card(output, step) {
    const group = here().groups[output.group];
    const title = element("h3", {}, element("a", { href: `#${group.id}` }, group.name));
    if (output.class) title.append(badge(output.class));
    else if (output.match !== undefined) title.append(badge(output.match ? "exact" : "differs"));
    const words = here().continued || !output.prediction ? [output.prediction || "(nothing)"] : marked(output.prediction, sentence().reference);
    const prediction = element("p", { class: "prediction", dir: "auto" }, ...words);
    const made = element("article", { class: `card c${group.colour}` }, title, prediction);
    if (!output.maps) return made;
    const names = Object.keys(output.maps);
    const last = names.findLast((one) => !/ head \d+$/.test(one)) ?? names[0];
    const name = names.includes(chosenMap[group.id]) ? chosenMap[group.id] : last;
    if (names.length > 1) {
      const select = element("select", {}, ...names.map((one) => element("option", { value: one }, one)));
      select.value = name;
      select.addEventListener("change", () => {
        chosenMap[group.id] = select.value;
        show();
        find(`[data-group="${output.group}"] select`).focus();
      });
      made.append(element("label", {}, "Attention ", select));
    }
    made.dataset.group = output.group;
    made.append(element("p", { class: "attended" }, attended(output, name, step)));
    made.append(element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Attention of ${group.name}` }, heatmap(output, name, step, go)));
    return made;
  }

  function show() {
    const one = sentence();
    if (!one) return;
    find("#the-source").textContent = one.source;
    find("#the-reference").textContent = one.reference;
    const longest = Math.max(1, ...one.outputs.map((output) => output.tokens?.length ?? 0));
    find(".stepper").hidden = longest === 1;
    slider.max = longest;
    slider.value = Math.min(slider.value, longest);
    find("#step-text").textContent = `${slider.value} of ${longest}`;
    const left = findAll("#cards .scroll").map((box) => box.scrollLeft);
    find("#cards").replaceChildren(...one.outputs.map((output) => card(output, slider.value - 1)));
    findAll("#cards .scroll").forEach((box, i) => (box.scrollLeft = left[i] ?? 0));
    openInPlay(here(), one, slider.value - 1);
  }

  function go(step) {
    slider.value = step + 1;
    show();
  }

  function list() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const options = here().sentences.flatMap((one, i) => {
      const kept = words.every((word) => one.source.toLowerCase().includes(word));
      return kept ? [element("option", { value: i, dir: "auto" }, `${i + 1}. ${shortened(one.source, 90)}`)] : [];
    });
    pickSentence.replaceChildren(...options);
    slider.value = 1;
    show();
  }

  function another(by) {
    const to = pickSentence.selectedIndex + by;
    if (to < 0 || to >= pickSentence.options.length) return;
    pickSentence.selectedIndex = to;
    slider.value = 1;
    show();
  }

  function changeData() {
    find("#pair-source").textContent = here().continued ? "Prompt" : "Source";
    find("#pair-reference").textContent = here().continued ? "Continuation" : "Reference";
    search.value = "";
    list();
  }

  pickData.append(...data.map((one, i) => element("option", { value: i, dir: "auto" }, one.title)));
  pickData.addEventListener("change", changeData);
  pickSentence.addEventListener("change", () => {
    slider.value = 1;
    show();
  });
  search.addEventListener("input", list);
  slider.addEventListener("input", show);
  find("#pick-previous").addEventListener("click", () => another(-1));
  find("#pick-next").addEventListener("click", () => another(1));
  find("#step-back").addEventListener("click", () => go(slider.value - 2));
  find("#step-on").addEventListener("click", () => go(Number(slider.value)));
  find("#cards").addEventListener("keydown", (event) => {
    if (event.target.tagName === "SELECT") return;
    const act = { ArrowLeft: () => go(slider.value - 2), ArrowRight: () => go(Number(slider.value)), ArrowUp: () => another(-1), ArrowDown: () => another(1) }[event.key];
    if (!act) return;
    event.preventDefault();
    const group = event.target.closest("[data-group]")?.dataset.group;
    act();
    (find(`[data-group="${group}"] .scroll`) ?? find("#cards")).focus({ preventScroll: true });
  });
  find("#explorer").hidden = false;
  changeData();
}

// Samples by class

function browser() {
  const pickData = find("#browse-data"), pickGroup = find("#browse-group"), buttons = findAll("#browse-classes button");
  const here = () => data[pickData.value];
  const page = 5;
  let chosen = buttons[0].dataset.class, shown = page;

  function outputs(name) {
    return here().sentences.flatMap((one) =>
      one.outputs
        .filter((output) => output.class === name && (pickGroup.value === "" || output.group === Number(pickGroup.value)))
        .map((output) => [one, output]),
    );
  }

  function line(name, text) {
    return element("p", {}, element("span", { class: "note" }, name), element("bdi", {}, text));
  }

  function show() {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", button.dataset.class === chosen);
      find("span", button).textContent = `(${outputs(button.dataset.class).length})`;
    }
    const found = outputs(chosen);
    find("#browse-count").textContent = `${found.length} of the sampled outputs are “${chosen}”${found.length > shown ? `; the first ${shown}` : ""}`;
    find("#browse-samples").replaceChildren(
      ...found.slice(0, shown).map(([one, output]) => {
        const group = here().groups[output.group];
        const prediction = line(group.name, output.prediction || "(nothing)");
        return element("li", {}, line("source", one.source), prediction, line("reference", one.reference));
      }),
    );
    find("#browse-more").disabled = found.length <= shown;
  }

  function anew() {
    shown = page;
    show();
  }

  function groups() {
    const options = here().groups.map((group, i) => element("option", { value: i, dir: "auto" }, group.name));
    pickGroup.replaceChildren(element("option", { value: "" }, "all"), ...options);
    anew();
  }

  data.forEach((one, i) => {
    const sorted = one.sentences.some((sentence) => sentence.outputs.some((output) => output.class));
    if (sorted) pickData.append(element("option", { value: i, dir: "auto" }, one.title));
  });
  pickData.addEventListener("change", groups);
  pickGroup.addEventListener("change", anew);
  for (const button of buttons)
    button.addEventListener("click", () => {
      chosen = button.dataset.class;
      anew();
    });
  find("#browse-more").addEventListener("click", () => {
    shown += page;
    show();
  });
  find("#browser").hidden = false;
  groups();
}

// A link into a panel that is not chosen, or into what is folded, opens it first

function links() {
  const target = (hash) => document.getElementById(decodeURIComponent(hash.slice(1)));
  function reveal(hash) {
    const panel = target(hash)?.closest(".panel[hidden]");
    if (panel) {
      const select = find(`option[value="${panel.id}"]`).parentElement;
      select.value = panel.id;
      select.dispatchEvent(new Event("change"));
    }
    const folds = [];
    for (let one = target(hash)?.closest("details"); one; one = one.parentElement.closest("details")) if (!one.open) folds.push(one);
    for (const one of folds) one.open = true;
    return panel || folds.length;
  }
  const go = () => reveal(location.hash) && target(location.hash).scrollIntoView();
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link) reveal(link.hash);
  });
  addEventListener("hashchange", go);
  go();
}

// The navigation marks the section that is in view

function currentSection() {
  const links = findAll("nav a");
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries)
        if (isIntersecting)
          for (const link of links) {
            const here = link.hash === `#${target.id}`;
            if (here) link.setAttribute("aria-current", "true");
            else link.removeAttribute("aria-current");
          }
    },
    { rootMargin: "-20% 0px -75% 0px" },
  );
  for (const section of findAll("main > section")) seen.observe(section);
}

// On paper nothing unfolds: all is open while printing, but for the settings of runs, of which there are pages

function printing() {
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = findAll("details:not([open], .settings)");
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
}

// A box that is too narrow for what is chosen shows it when pointed at

function chosenNames() {
  for (const select of findAll(".pick select")) {
    const name = () => (select.title = select.selectedOptions[0]?.text ?? "");
    select.addEventListener("pointerenter", name);
    select.addEventListener("focus", name);
  }
}

theme();
findAll(".choice").forEach(choice);
findAll(".sortable").forEach(sortable);
findAll("figure").forEach(legend);
findAll("#compare .sortable").forEach(tableDownloads);
findAll("figure").forEach(plotDownloads);
filter(find("#find-run"), find("#find-count"), () => findAll(".run"));
if (find("#explorer")) explorer();
if (find("#browser")) browser();
links();
chosenNames();
printing();
currentSection();
