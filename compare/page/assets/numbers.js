/** The numbers that the page holds, and how it writes them. */

export const byId = (id) => document.getElementById(id);
export const data = JSON.parse(byId("data").textContent);
export const quantity = Object.fromEntries(data.quantities.map((q) => [q.name, q]));

/** Decode little-endian float64 numbers from base64. */
function decode(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const length = bytes.length / 8;
  return Float64Array.from({ length }, (_, i) => view.getFloat64(8 * i, true));
}

const decoded = data.runs.map((run) => decode(run.numbers));
const last = data.quantities.at(-1);
const size = last.start + last.shape.reduce((a, b) => a * b, 1);

/** Return a number of a run: row is that of the step in `data.steps`. */
export const numberAt = (run, row, place) => decoded[run][row * size + place];

/** Return the place of an element among the numbers of a step. */
export const placeOf = ({ start, shape }, index) =>
  start + index.reduce((sum, i, axis) => sum * shape[axis] + i, 0);

/** Write a number with few digits, for a picture. */
export const compact = (value) => {
  if (!Number.isFinite(value)) return "–";
  const short = Number(value.toPrecision(4));
  const isSmall = Math.abs(short) < 1e-4 && short !== 0;
  return (isSmall ? short.toExponential(2) : String(short)).replaceAll("-", "−");
};

/** Write a step as people do: 10,000. */
export const spelled = (step) => step.toLocaleString("en");

/** Write two numbers with four digits, or as many as it takes to tell them apart. */
export function distinct(a, b) {
  const digits = Array.from({ length: 14 }, (_, i) => i + 4);
  const differ = (n) => a.toPrecision(n) !== b.toPrecision(n);
  const n = digits.find(differ) ?? 17;
  return [a, b].map((value) => String(Number(value.toPrecision(n))).replaceAll("-", "−"));
}

/** Write the inputs of a sample; of many, the first. */
export const sampleName = (x) =>
  `(${x.slice(0, 4).map(compact).join(", ")}${x.length > 4 ? ", …" : ""})`;

const single = data.problem?.dtype === "float32";
const rounded = (value) => (single ? Number(Math.fround(value).toPrecision(9)) : value);

/** Write all digits of a number into a cell, and mark those that are not the exact ones. */
export function writeMarked(cell, value, exact) {
  const text = Number.isNaN(value) ? "NaN" : String(rounded(value));
  const right = exact ? String(rounded(Number(exact))) : text;
  let same = 0;
  while (same < text.length && text[same] === right[same]) same++;
  if (text === right) same = text.length;
  cell.replaceChildren(text.slice(0, same));
  if (same < text.length) {
    const mark = document.createElement("mark");
    mark.textContent = text.slice(same);
    cell.append(mark);
  }
}

/** Create an element of HTML or, in an SVG picture, of SVG. */
export function create(name, attributes = {}, ...children) {
  const drawn = ["path", "rect", "text", "g", "line", "title"].includes(name);
  const made = drawn
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
