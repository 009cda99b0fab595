import { asMatrix } from "./audit.js";
import { byId, compact, create } from "./numbers.js";

/** The pictures of the training in the page: its loss, and how a mistake spreads. */

const [LEFT, RIGHT, TOP, BOTTOM] = [64, 700, 14, 250];
const COLUMNS = 50;
const POINTS = 400;

const text = (x, y, words, style = "") => create("text", { x, y, class: style }, words);

/** Draw the losses of some runs of so many steps: the first loss is near the top. */
export function drawLosses(runs, count) {
  const firsts = runs.map(({ losses }) => losses[0]).filter(Number.isFinite);
  const top = 1.15 * Math.max(...firsts) || 1;
  const x = (n) => LEFT + ((RIGHT - LEFT) * n) / Math.max(count - 1, 1);
  const y = (v) => BOTTOM - (BOTTOM - TOP) * Math.min(v / top, 1);
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
    const label = compact(Number((share * top).toPrecision(2)));
    const at = y(share * top);
    return [
      create("path", { d: `M${LEFT} ${at}H${RIGHT}` }),
      text(LEFT - 8, at + 5, label, "end"),
    ];
  });
  const curves = runs.map(({ losses, style }) => {
    const every = Math.max(1, Math.floor(losses.length / POINTS));
    const points = losses
      .map((v, n) => [n, v])
      .filter(([n]) => n % every === 0 || n === losses.length - 1)
      .filter(([, v]) => Number.isFinite(v))
      .map(([n, v]) => `${x(n).toFixed(1)} ${y(v).toFixed(1)}`);
    return create("path", { d: `M${points.join("L")}`, class: `curve ${style}` });
  });
  byId("live").replaceChildren(
    create("g", { class: "grid" }, ...grid),
    text(LEFT, 274, "step 0"),
    text(RIGHT, 274, `step ${(count - 1).toLocaleString("en")}`, "end"),
    ...curves,
  );
}

/** The quantities of a step, in the order of computation. */
export const ROWS = ["w1", "w2", "z1", "a1", "z2", "a2", "loss"].concat(
  ["dz2", "dw2", "dz1", "dw1", "new_w1", "new_w2"],
);
/** Relative differences at which the shades part; the first is about rounding. */
export const LEVELS = [1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1e-1];

/** Return how far a quantity is from the right one, relative to its size. */
export function apart(found, right) {
  const [a, b] = [asMatrix(found).flat(), asMatrix(right).flat()];
  const size = Math.max(...b.map(Math.abs)) || 1;
  const difference = Math.max(...a.map((v, i) => Math.abs(v - b[i])));
  return Number.isFinite(difference) ? difference / size : Infinity;
}

/** Choose steps, evenly on a logarithmic axis. */
function someSteps(count) {
  const exponents = Array.from({ length: COLUMNS }, (_, i) => i / (COLUMNS - 1));
  const steps = exponents.map((exponent) => Math.round(count ** exponent) - 1);
  return [...new Set(steps)];
}

/** Choose the style of a cell, as the legend of the page explains it. */
function shadeOf(difference) {
  if (difference === Infinity) return "gone";
  const level = LEVELS.filter((limit) => difference > limit).length;
  return level ? `h${level - 1}` : "ground";
}

/** Draw how far each quantity of some steps is from that of a right run. */
export function drawSpreading(steps, right, failure) {
  const chosen = someSteps(steps.length);
  const [start, width] = [100, (RIGHT - 100) / chosen.length];
  const height = (BOTTOM - TOP) / ROWS.length;
  const rows = ROWS.flatMap((name, row) => {
    const style = name === failure?.quantity ? "end named" : "end";
    const words = name.replace("_", " ");
    const label = text(start - 8, TOP + (row + 0.8) * height, words, style);
    const cells = chosen.map((n, column) => {
      const difference = apart(steps[n][name], right[n][name]);
      return create("rect", {
        x: start + column * width,
        y: TOP + row * height,
        width,
        height,
        class: shadeOf(difference),
      });
    });
    return [label, ...cells];
  });
  const last = chosen.at(-1).toLocaleString("en");
  byId("spreading").replaceChildren(
    ...rows,
    text(start, 274, "step 0"),
    text(RIGHT, 274, `step ${last}`, "end"),
  );
}
