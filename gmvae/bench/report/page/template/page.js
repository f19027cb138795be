"use strict";

const collator = new Intl.Collator("en", { numeric: true });

// Numbers by their value, words by the alphabet, empty cells always last.
function compare(one, other, sign) {
  if (!one || !other) return (one ? -1 : 0) + (other ? 1 : 0);
  const [a, b] = [one, other].map((text) => parseFloat(text.replace("−", "-")));
  if (Number.isNaN(a) || Number.isNaN(b)) return sign * collator.compare(one, other);
  return sign * (a - b);
}

function sortBy(table, column, head) {
  const words = head.classList.contains("text");
  const down = head.getAttribute("aria-sort") === "descending" || (words && !head.ariaSort);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "ascending" : "descending");
  const text = (row) => row.cells[column].textContent.trim();
  const rows = [...table.tBodies[0].rows];
  rows.sort((one, other) => compare(text(one), text(other), down ? 1 : -1));
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => sortBy(table, column, head));
  });
}

// Filters: a row is shown if it has every value that is chosen.
const selects = [...document.querySelectorAll("[data-filter]")];
const filtered = [...document.querySelectorAll("table.sortable tbody tr")];
const valueOf = (row, name) =>
  name === "dataset" ? row.closest(".dataset").dataset.dataset : row.dataset[name];

function filter() {
  for (const row of filtered) {
    row.hidden = selects.some((one) => one.value && one.value !== valueOf(row, one.dataset.filter));
  }
  for (const part of document.querySelectorAll(".dataset")) {
    part.hidden = !part.querySelector("tbody tr:not([hidden])");
  }
}

for (const select of selects) {
  const values = [...new Set(filtered.map((row) => valueOf(row, select.dataset.filter)))];
  const named = values.filter(Boolean).sort(collator.compare);
  select.append(new Option("all", ""), ...named.map((value) => new Option(value)));
  select.closest("label").hidden = named.length < 2;
  select.addEventListener("change", filter);
  select.form.hidden = false;
}

// Each figure is stored in the page once, in its image.
for (const link of document.querySelectorAll("a.download")) {
  link.href = link.closest("figure").querySelector("img").src;
}
for (const link of document.querySelectorAll("a.bibtex")) {
  const text = document.getElementById("bibtex").textContent;
  link.href = `data:application/x-bibtex;charset=utf-8,${encodeURIComponent(text)}`;
}

const large = document.getElementById("large");
for (const button of document.querySelectorAll(".enlarge")) {
  button.addEventListener("click", () => {
    const shown = button.querySelector("img");
    Object.assign(large.querySelector("img"), { src: shown.src, alt: shown.alt });
    large.showModal();
  });
}
large.addEventListener("click", (event) => {
  if (event.target === large) large.close();
});

// The images of a cluster: one tile for each, cut out of the sprite of its run.
for (const run of document.querySelectorAll(".run-clusters")) {
  const tiles = run.querySelector(".tiles");
  const style = getComputedStyle(tiles);
  const [width, height] = ["--width", "--height"].map((name) => parseInt(style.getPropertyValue(name)));
  const { images, rows } = tiles.dataset;
  const zoom = Math.max(1, Math.round(64 / Math.max(width, height)));
  tiles.style.setProperty("--zoom", zoom);
  tiles.replaceChildren(...Array.from({ length: images }, () => document.createElement("div")));
  const pick = (button) => {
    for (const other of run.querySelectorAll(".pick")) other.setAttribute("aria-pressed", other === button);
    tiles.setAttribute("aria-label", `the ${images} surest samples of cluster ${button.textContent}`);
    [...tiles.children].forEach((tile, place) => {
      tile.className = "tile";
      tile.style.backgroundSize = `${images * width * zoom}px ${rows * height * zoom}px`;
      tile.style.backgroundPosition = `-${place * width * zoom}px -${button.dataset.row * height * zoom}px`;
    });
  };
  for (const button of run.querySelectorAll(".pick")) {
    button.closest("tr").addEventListener("click", () => pick(button));
  }
  pick(run.querySelector(".pick"));
}

// The value of a curve at the pointer.
for (const curve of document.querySelectorAll(".curve")) {
  const [values, epochs] = [curve.dataset.values, curve.dataset.epochs].map((text) => text.split(" "));
  const [output, svg] = [curve.querySelector("output"), curve.querySelector("svg")];
  const [line, usual] = [svg.querySelector("line"), output.textContent];
  const box = svg.viewBox.baseVal;
  const inner = box.width + 2 * box.x;
  svg.addEventListener("pointermove", (event) => {
    const part = (event.offsetX / svg.clientWidth) * box.width + box.x;
    const epoch = Math.round(Math.min(1, Math.max(0, part / inner)) * (values.length - 1));
    const at = (epoch / (values.length - 1)) * inner;
    line.setAttribute("x1", at);
    line.setAttribute("x2", at);
    line.classList.add("at");
    output.textContent = `${values[epoch]} after epoch ${epochs[epoch]}`;
  });
  svg.addEventListener("pointerleave", () => {
    line.classList.remove("at");
    output.textContent = usual;
  });
}
