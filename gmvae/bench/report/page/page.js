"use strict";

const collator = new Intl.Collator("en", { numeric: true });

// Numbers by their value, words by the alphabet, empty cells always last.
function compare(one, other, sign) {
  if (!one || !other) return (one ? -1 : 0) + (other ? 1 : 0);
  const [a, b] = [parseFloat(one), parseFloat(other)];
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

// Each figure is stored in the page once, in its image.
for (const link of document.querySelectorAll("a.download")) {
  link.href = link.closest("figure").querySelector("img").src;
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
