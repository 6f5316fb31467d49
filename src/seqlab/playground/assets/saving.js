// Answers and beams as files of their own, with their own colours: a saved picture is for a light background.

const PAPER = { "font-family": "system-ui, sans-serif", "font-size": 12, fill: "#1f2328" };
const BLUE = "#0969da", RED = "#a3301f";

const place = (text, x, y, more = {}) => shape("text", { x, y, ...more }, text);

function paper(width, height, title, ...drawn) {
  const made = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, ...PAPER });
  made.append(shape("rect", { width, height, fill: "#ffffff" }), place(shortened(title, 100), 8, 16, { "font-weight": 600 }), ...drawn);
  return svgFile(made);
}

// An answer with its attention: a row for each token, a column for each source token
function answerSvg(model, answer) {
  const [layer, head] = layerOf(model);
  const view = looks(answer, layer, head), rows = view.maps[layer] ?? [];
  const cell = 24, left = 90, top = 60;
  const drawn = rows.length ? view.sources.map((token, i) => place(token, left + cell * (i + 0.5), top - 8, { "text-anchor": "middle" })) : [];
  view.tokens.forEach((token, row) => {
    const y = top + cell * row;
    const wrong = answer.steps[row].right === false ? { fill: RED, "text-decoration": "underline" } : {};
    drawn.push(place(`${token} ${percent(answer.steps[row].p)}`, left - 8, y + 16, { "text-anchor": "end", ...wrong }));
    (rows[row] ?? []).forEach((share, i) => drawn.push(shape("rect", { x: left + cell * i + 1, y: y + 1, width: cell - 2, height: cell - 2, rx: 3, fill: BLUE, "fill-opacity": (0.06 + 0.0094 * share).toFixed(3) })));
  });
  const width = left + cell * Math.max(rows.length ? view.sources.length : 0, 12);
  const where = Object.keys(model.heads).length > 1 || model.heads[layer] > 1 ? ` (${layer}, ${head === "mean" ? "mean of its heads" : `head ${head}`})` : "";
  return paper(width, top + cell * view.tokens.length + 8, `${model.name}${where}: ${answer.source}`, ...drawn);
}

// A text, each token shaded by its surprise; a fixed width for each character, because nothing measures it here
function textSvg(model, answer) {
  const character = 7.3, line = 20, left = 8, most = 90;
  const drawn = [];
  let column = 0, row = 0;
  const pieces = [{ piece: answer.first ?? "", p: 1, prompt: true }, ...answer.steps];
  for (const one of pieces)
    for (const [i, part] of one.piece.split("\n").entries()) {
      if (i || column + part.length > most) (column = 0), row++;
      const at = { x: left + character * column, y: 44 + line * row };
      if (part) drawn.push(shape("rect", { x: at.x, y: at.y - 13, width: character * part.length, height: 18, fill: RED, "fill-opacity": (0.07 * Math.min(bits(one.p), 8)).toFixed(3) }));
      drawn.push(place(part, at.x, at.y, { "xml:space": "preserve", "font-weight": one.prompt ? 400 : 600 }));
      column += part.length;
    }
  const words = shape("g", { "font-family": "ui-monospace, Menlo, Consolas, monospace" }, ...drawn);
  return paper(2 * left + character * most, 56 + line * row, `${model.name}: the stronger, the more surprising; bold: written by it`, words);
}

const BEAM_STYLE = `
  rect { fill: #f3f5f4; stroke: #56616a } path { fill: none; stroke: #56616a } .score { font-size: 10px; fill: #56616a }
  .pruned rect, .hopeless rect { fill: none; stroke: #b3bac0; stroke-dasharray: 3 3 } .pruned text, .hopeless text { fill: #56616a }
  path.pruned, path.hopeless { stroke: #b3bac0; stroke-dasharray: 3 3 } .ended rect { stroke: #1d6b3a; stroke-width: 2 }
  .best rect { fill: #c5ddf6; stroke: ${BLUE} } path.best { stroke: ${BLUE}; stroke-width: 2.5 }`;

// The tree of a beam search, as far as it is shown
function beamSvg(model, answer, steps) {
  const tree = beamTree(answer.beam, bestOf(answer), steps);
  const width = Math.max(Number(tree.getAttribute("width")), 560), height = Number(tree.getAttribute("height")) + 28;
  tree.setAttribute("y", 28);
  tree.prepend(shape("style", {}, BEAM_STYLE));
  const { size, length_penalty: penalty } = state.settings.beam;
  return paper(width, height, `${model.name}: ${answer.source} (beam of ${size}, length penalty ${penalty})`, tree);
}

function saveLink(name, key, words, drawn) {
  const href = `data:image/svg+xml,${encodeURIComponent(drawn)}`;
  return element("a", { class: "save", download: `${name.replaceAll("/", "-")}.svg`, href, "data-key": key }, words);
}

function savingPart({ model, answer }) {
  if (answer.state !== "done") return [];
  const copy = element("button", { type: "button", "data-key": "copy" }, "Copy text");
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(answer.end.text);
    copy.textContent = "Copied";
  });
  const links = [saveLink(model.name, "save", "Save SVG", (model.continues ? textSvg : answerSvg)(model, answer))];
  if (answer.beam.length) links.push(saveLink(`${model.name}-beam`, "save-beam", "Save beam as SVG", beamSvg(model, answer, stepsShown(model, answer))));
  return [element("div", { class: "saving" }, copy, ...links)];
}
