import { asMatrix } from "./audit.js";
import { byId, compact, create, spelled } from "./numbers.js";

/** The pictures of the training in the page: its loss, and how a mistake spreads. */

const [LEFT, RIGHT, TOP, BOTTOM] = [64, 700, 14, 250];
const COLUMNS = 50;
const POINTS = 400;
const TICKS = [0, 10, 100, 1_000];

const text = (x, y, words, style = "") => create("text", { x, y, class: style }, words);

/** Choose round numbers from 0 up to a number: about four, 1, 2 or 5 times a power of 10. */
function ticksUpTo(top) {
  const power = 10 ** Math.floor(Math.log10(top / 4));
  const every = power * [1, 2, 5, 10].find((factor) => top / (factor * power) <= 5);
  return Array.from({ length: Math.floor(top / every) + 1 }, (_, i) => i * every);
}

/** Return the largest finite number, or 1 if there is none above 0. */
const largest = (numbers) =>
  numbers.filter(Number.isFinite).reduce((a, b) => Math.max(a, b), 0) || 1;

/** Return whether the losses of two runs lie on one another in the picture. */
export function coincide(steps, others) {
  const visible = largest([...steps, ...others].map(({ loss }) => loss)) / (BOTTOM - TOP);
  return steps.every(({ loss }, n) => Math.abs(loss - others[n].loss) < visible);
}

/** Draw the losses of some runs of so many steps. */
export function drawLosses(runs, count) {
  const top = 1.05 * largest(runs.flatMap(({ losses }) => losses));
  const x = (n) => LEFT + ((RIGHT - LEFT) * n) / Math.max(count - 1, 1);
  const y = (v) => BOTTOM - ((BOTTOM - TOP) * v) / top;
  const grid = ticksUpTo(top).flatMap((value) => [
    create("path", { d: `M${LEFT} ${y(value)}H${RIGHT}` }),
    text(LEFT - 8, y(value) + 5, compact(value), "end"),
  ]);
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
    text(RIGHT, 274, `step ${spelled(count - 1)}`, "end"),
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
  const last = chosen.at(-1);
  const ticks = TICKS.filter((n) => n < last / 2).map((n) =>
    text(start + width * chosen.findIndex((step) => step >= n), 274, spelled(n)),
  );
  byId("spreading").replaceChildren(
    ...rows,
    text(start - 8, 274, "step", "end"),
    ...ticks,
    text(RIGHT, 274, spelled(last), "end"),
  );
}
