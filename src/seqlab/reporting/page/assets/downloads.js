// Tables and plots as files: CSV with all digits that the page has, pictures as SVG on a light background.

const INK = "#1c2226", SOFT = "#56616a", BAR = "#1f6fb2";

function download(name, type, content) {
  const file = name.normalize("NFKD").replace(/[^\w.-]+/g, "_");
  element("a", { download: file, href: `data:${type};charset=utf-8,${encodeURIComponent(content)}` }).click();
}

const csv = (rows) => rows.map((row) => row.map((text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)).join(",")).join("\n") + "\n";

const words = (cell) => (cell ? cell.innerText.trim().replace(/\s+/g, " ") : "");

// "28.20 ± 0.10" has the mean as its value, with all digits; the deviation is what is written, and a share as such

function deviation(cell) {
  const written = words(cell).split("±")[1]?.trim() ?? "";
  return written.endsWith("%") ? String(Number((parseFloat(written) / 100).toPrecision(6))) : written.replaceAll(",", "");
}

const inLines = (text, most) => text.match(new RegExp(`.{1,${Math.floor(most)}}(\\s|$)`, "g")) ?? [];

function drawnLines(lines, x, y, step, look) {
  return lines.map((line, i) => shape("text", { x, y: y + step * i, ...look }, line.trim()));
}

const shownRows = (table) => [...table.tBodies[0].rows].filter((row) => !row.hidden);
const headsOf = (table) => [...table.tHead.rows[0].cells].map(words);

function tableCsv(table) {
  const rows = shownRows(table), heads = headsOf(table);
  const spread = heads.map((_, column) => rows.some((row) => deviation(row.cells[column])));
  const written = (cell) => (words(cell) === "–" ? "" : (cell.dataset.value ?? words(cell)));
  const line = (row) => [...row.cells].flatMap((cell, column) => (spread[column] ? [written(cell), deviation(cell)] : [written(cell)]));
  return csv([heads.flatMap((head, column) => (spread[column] ? [head, `${head} sd`] : [head])), ...rows.map(line)]);
}

// A bar for each row, of the column that the table is sorted by, else of the first with a spread; whiskers: ± the deviation

function pictured(table) {
  const heads = [...table.tHead.rows[0].cells];
  const sorted = heads.findIndex((head) => head.getAttribute("aria-sort") !== "none");
  const numbers = heads.map((_, i) => i).filter((i) => i && shownRows(table).some((row) => row.cells[i].dataset.value !== undefined));
  return numbers.includes(sorted) ? sorted : (numbers.find((i) => shownRows(table).some((row) => deviation(row.cells[i]))) ?? numbers.find((i) => heads[i].innerText !== "seeds"));
}

function tablePicture(table, title, note) {
  const column = pictured(table), rows = shownRows(table);
  const bars = rows.map((row) => ({ name: words(row.cells[0]), text: words(row.cells[column]), value: Number(row.cells[column].dataset.value), sd: Number(deviation(row.cells[column])) }));
  const known = bars.filter((one) => Number.isFinite(one.value));
  const most = Math.max(1e-9, ...known.map((one) => one.value + one.sd));
  const left = 24 + 7.2 * Math.max(...bars.map((one) => one.name.length)), width = left + 520, line = 26;
  const head = inLines(title, width / 8), rest = inLines(note, width / 6.4), top = 44 + 18 * head.length;
  const along = (value) => left + (360 * Math.max(0, value)) / most;
  const height = top + line * bars.length + 16 + 15 * rest.length;
  const text = (x, y, content, more = {}) => shape("text", { x, y, fill: INK, ...more }, content);
  const made = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "font-family": "system-ui, sans-serif", "font-size": 13 });
  made.append(shape("rect", { width, height, fill: "#ffffff" }), ...drawnLines(head, 12, 22, 18, { "font-weight": 600, fill: INK }), text(12, top - 20, headsOf(table)[column], { fill: SOFT }));
  bars.forEach((one, i) => {
    const y = top + line * i;
    made.append(text(12, y + 13, one.name));
    if (!Number.isFinite(one.value)) return made.append(text(left, y + 13, "not measured", { fill: SOFT }));
    made.append(shape("rect", { x: left, y: y + 2, width: Math.max(1, along(one.value) - left), height: 14, rx: 2, fill: BAR }));
    if (one.sd) made.append(shape("path", { d: `M${along(one.value - one.sd)} ${y + 5}v8m0-4H${along(one.value + one.sd)}m0-4v8`, fill: "none", stroke: INK, "stroke-width": 1.5 }));
    made.append(text(along(one.value + one.sd) + 8, y + 13, one.text));
  });
  made.append(...drawnLines(rest, 12, top + line * bars.length + 14, 15, { fill: SOFT, "font-size": 11 }));
  return svgFile(made);
}

// A plot has its colours from the page's style: in a file of its own each part has them itself

const PAINTED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity", "font-size", "font-weight", "text-anchor"];

function plotPicture(figure, title) {
  const root = document.documentElement, theme = root.dataset.theme, plot = find("svg", figure);
  root.dataset.theme = "light";
  const copy = plot.cloneNode(true), [, , width, height] = plot.getAttribute("viewBox").split(" ").map(Number);
  const parts = findAll("*", plot), copies = findAll("*", copy);
  parts.forEach((part, i) => {
    const style = getComputedStyle(part);
    for (const name of PAINTED) if (!["title", "desc"].includes(part.localName)) copies[i].setAttribute(name, style.getPropertyValue(name));
  });
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  for (const one of findAll("[hidden], .reach", copy)) one.remove();
  const names = findAll(".legend button[aria-pressed=true]", figure).map((one) => one.dataset.series);
  const head = inLines(title, width / 8), top = 4 + 18 * head.length, below = top + height + 18;
  const made = shape("svg", { viewBox: `0 0 ${width} ${below + 18 * names.length}`, width, height: below + 18 * names.length, "font-family": "system-ui, sans-serif", "font-size": 13 });
  for (const [key, value] of Object.entries({ y: top, width, height })) copy.setAttribute(key, value);
  made.append(shape("rect", { width, height: below + 18 * names.length, fill: "#ffffff" }), ...drawnLines(head, 4, 16, 18, { "font-weight": 600, fill: INK }), copy);
  names.forEach((name, i) => {
    const series = findAll(".series", copy).find((one) => one.dataset.series === name), y = below + 18 * i;
    const marker = find(".point:not(.unseen)", series)?.cloneNode(true) ?? shape("path", { d: "M-8 0H8", stroke: find(".line", series).getAttribute("stroke") });
    marker.replaceChildren();
    marker.setAttribute("transform", `translate(16 ${y - 4})`);
    made.append(marker, shape("text", { x: 30, y, fill: INK }, name));
  });
  return svgFile(made);
}

function saveButton(label, about, save) {
  const made = element("button", { type: "button", class: "save", "aria-label": `${label}: ${about}` }, label);
  made.addEventListener("click", save);
  return made;
}

function tableDownloads(box) {
  const table = find("table", box), label = find("caption", table).textContent, note = find(":scope > .note", box)?.innerText ?? "";
  const tools = find(".tools", box) ?? element("p", { class: "tools" });
  if (!tools.isConnected) box.prepend(tools);
  tools.append(saveButton("Save CSV", label, () => download(`${label}.csv`, "text/csv", tableCsv(table))));
  if (findAll("tbody td[data-value]", table).length) tools.append(saveButton("Save picture", label, () => download(`${label}.svg`, "image/svg+xml", tablePicture(table, label, note))));
}

function plotDownloads(figure) {
  const numbers = find(".numbers", figure), table = numbers && find("table", numbers);
  if (!table) return;
  const title = [figure.closest(".panel")?.querySelector("h3")?.textContent, find("h2, h3, h4", figure).textContent].filter(Boolean).join(", ");
  const tools = element("p", { class: "tools" });
  tools.append(
    saveButton("Save CSV", title, () => download(`${title}.csv`, "text/csv", tableCsv(table))),
    saveButton("Save picture", title, () => download(`${title}.svg`, "image/svg+xml", plotPicture(figure, title))),
  );
  find(".scroll", numbers).before(tools);
}
