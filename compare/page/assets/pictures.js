import { asMatrix } from "./audit.js";
import { byId, compact, create } from "./numbers.js";

/** The pictures of the training in the page: its loss, and how a mistake spreads. */

const LEFT = 64, RIGHT = 700, TOP = 14, BOTTOM = 250;
const finite = (values) => values.filter(Number.isFinite);

/** Draw the losses of the right run, dashed, and of this one. */
export function drawLosses(runs, count) {
  const top = Math.max(...runs.flatMap(({ losses }) => finite(losses).slice(0, 1))) * 1.15 || 1;
  const x = (n) => LEFT + ((RIGHT - LEFT) * n) / Math.max(count - 1, 1);
  const y = (v) => BOTTOM - (BOTTOM - TOP) * Math.min(v / top, 1);
  const grid = create("g", { class: "grid" });
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const at = y(share * top);
    grid.append(create("path", { d: `M${LEFT} ${at}H${RIGHT}` }), create("text", { x: LEFT - 8, y: at + 4, class: "end" }, compact(Number((share * top).toPrecision(2)))));
  }
  const ends = [
    create("text", { x: LEFT, y: 272 }, "step 0"),
    create("text", { x: RIGHT, y: 272, class: "end" }, `step ${(count - 1).toLocaleString("en")}`),
  ];
  const curves = runs.map(({ losses, style }) => {
    const every = Math.max(1, Math.floor(losses.length / 400));
    const points = losses.map((v, n) => [n, v]).filter(([n, v]) => (n % every === 0 || n === losses.length - 1) && Number.isFinite(v));
    const d = points.map(([n, v], i) => `${i ? "L" : "M"}${x(n).toFixed(1)} ${y(v).toFixed(1)}`).join("");
    return create("path", { d, class: `curve ${style}` });
  });
  byId("live").replaceChildren(grid, ...ends, ...curves);
}

/** The quantities of a step, in the order of computation. */
export const ROWS = ["w1", "w2", "z1", "a1", "z2", "a2", "loss", "dz2", "dw2", "dz1", "dw1", "new_w1", "new_w2"];
export const LEVELS = [1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1e-1]; // relative: the shades part here

/** Return how far a quantity is from the right one, relative to its size. */
export function apart(found, right) {
  const [a, b] = [asMatrix(found).flat(), asMatrix(right).flat()];
  const size = Math.max(...b.map(Math.abs)) || 1;
  const difference = Math.max(...a.map((v, i) => Math.abs(v - b[i])));
  return Number.isNaN(difference) ? Infinity : difference / size;
}

/** Choose steps, evenly on a logarithmic axis. */
const someSteps = (count, columns = 50) => [
  ...new Set(Array.from({ length: columns }, (_, i) => Math.round((count + 1) ** (i / (columns - 1))) - 1)),
].filter((n) => n < count);

/** Draw how far each quantity of some steps is from that of a right run. */
export function drawSpreading(steps, right, failure) {
  const chosen = someSteps(steps.length);
  const width = (RIGHT - 100) / chosen.length, height = 236 / ROWS.length;
  const parts = ROWS.map((name, row) => create("text", { x: 92, y: TOP + (row + 0.72) * height, class: name === failure?.quantity ? "end named" : "end" }, name.replace("_", " ")));
  ROWS.forEach((name, row) => chosen.forEach((n, column) => {
    const level = LEVELS.filter((limit) => apart(steps[n][name], right[n][name]) > limit).length;
    parts.push(create("rect", { x: 100 + column * width, y: TOP + row * height, width, height, class: level ? `h${level - 1}` : "ground" }));
  }));
  const last = chosen.at(-1).toLocaleString("en");
  parts.push(create("text", { x: 100, y: 272 }, "step 0"), create("text", { x: RIGHT, y: 272, class: "end" }, `step ${last}, logarithmic`));
  byId("spreading").replaceChildren(...parts);
}
