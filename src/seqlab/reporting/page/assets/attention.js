// Attention as a table: a row for each output token, a column for each source token, whole percents.
// An output has its `tokens`, its `sources`, and in `maps` by name the percents of each row.

const visible = (token) => (token.trim() ? token : "␣");

function heatmap(output, name, step, go) {
  const head = element("tr", {}, element("td"), ...output.sources.map((token) => element("th", { scope: "col", dir: "auto" }, visible(token))));
  const rows = output.maps[name].map((shares, row) => {
    const cells = shares.map((share, column) =>
      element("td", { style: `--share:${share}`, title: `${output.tokens[row]} → ${output.sources[column]}: ${share}%` }, `${share}%`),
    );
    const line = element("tr", row === step ? { class: "now" } : {}, element("th", { scope: "row", dir: "auto" }, visible(output.tokens[row])), ...cells);
    line.addEventListener("click", () => go(row));
    return line;
  });
  const caption = element("caption", { class: "unseen" }, `Attention in percent: ${name}`);
  return element("table", { class: "map" }, caption, element("thead", {}, head), element("tbody", {}, ...rows));
}

function attended(output, name, step) {
  if (step >= output.tokens.length) return "has ended";
  const shares = output.maps[name][step];
  const top = shares.map((share, i) => [share, output.sources[i]]).sort((a, b) => b[0] - a[0]).slice(0, 3).filter(([share]) => share > 0);
  return `writes “${visible(output.tokens[step])}”, looks at ${top.map(([share, token]) => `“${visible(token)}” ${share}%`).join(", ") || "nothing of the source"}`;
}
