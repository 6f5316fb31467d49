// A beam search as a tree: a column for each step, a node for each hypothesis that was considered.

const COLUMN = 108, ROW = 34, NODE = { width: 90, height: 26 };
const logarithm = (value, digits) => value.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "−");

// The nodes of all steps; each knows its parent, its place, and whether it is on the way to the best output
function treeNodes(beam, best) {
  let live = [{ x: 0, y: 0, root: true, text: "", path: [] }];
  const columns = [[live[0]]];
  for (const [position, candidates] of beam.entries()) {
    const nodes = candidates.map((one, i) => {
      const parent = live[one.parent];
      const path = [...parent.path, one.id];
      const onBest = one.state !== "pruned" && path.every((id, j) => id === best[j]);
      return { ...one, parent, path, x: position + 1, y: i, best: onBest };
    });
    columns.push(nodes);
    live = nodes.filter((one) => one.state === "going");
  }
  return columns;
}

const STATES = { going: "kept", ended: "ended", hopeless: "can no longer win", pruned: "pruned" };

function treeNode(node) {
  const place = { x: node.x * COLUMN + 4, y: node.y * ROW + 4 };
  const words = node.root ? "start" : `${node.text}: ${STATES[node.state]}, log p ${logarithm(node.score, 2)}, with the length penalty ${logarithm(node.rank, 2)}`;
  const label = node.root ? "start" : shortened(node.text, 6);
  const middle = place.y + NODE.height / 2 + 4;
  return shape(
    "g",
    { class: `node ${node.root ? "going" : node.state}${node.best ? " best" : ""}` },
    shape("title", {}, words),
    shape("rect", { ...place, ...NODE, rx: 5 }),
    shape("text", { x: place.x + 6, y: middle }, label),
    shape("text", { x: place.x + NODE.width - 5, y: middle, class: "score", "text-anchor": "end" }, node.root ? "" : logarithm(node.score, 1)),
  );
}

function treeEdge(node) {
  const from = { x: node.parent.x * COLUMN + 4 + NODE.width, y: node.parent.y * ROW + 4 + NODE.height / 2 };
  const to = { x: node.x * COLUMN + 4, y: node.y * ROW + 4 + NODE.height / 2 };
  const middle = (from.x + to.x) / 2;
  return shape("path", { class: `edge ${node.state}${node.best ? " best" : ""}`, d: `M${from.x},${from.y}C${middle},${from.y} ${middle},${to.y} ${to.x},${to.y}` });
}

// The tree after so many steps
function beamTree(beam, best, steps) {
  const columns = treeNodes(beam, best).slice(0, steps + 1);
  const nodes = columns.flat();
  const width = columns.length * COLUMN, height = Math.max(...columns.map((one) => one.length)) * ROW + 8;
  const tree = shape("svg", { class: "beam", viewBox: `0 0 ${width} ${height}`, width, height, role: "img" }, shape("title", {}, `Beam search after ${steps} steps`));
  tree.append(...nodes.filter((one) => one.parent).map(treeEdge), ...nodes.map(treeNode));
  return tree;
}

// The outputs that ended, by rank; and what the length penalty changed
function beamOutputs(beam) {
  const ended = treeNodes(beam, []).flat().filter((one) => one.state === "ended");
  const words = (node) => (node.root ? [] : [...words(node.parent), node.text]);
  const outputs = ended.map((node) => ({ text: words(node).filter((one) => one !== "<eos>").join(" ") || "(nothing)", score: node.score, rank: node.rank }));
  const byRank = [...outputs].sort((a, b) => b.rank - a.rank), likeliest = [...outputs].sort((a, b) => b.score - a.score)[0];
  return { outputs: byRank.slice(0, 5), likeliest, changed: likeliest !== byRank[0] };
}
