import { byId, data } from "./numbers.js";
import { remember } from "./state.js";

/** What the reader may change before the page trains: the form, and its values. */

export const FIELDS = ["mistake", "labels", "lr", "updates", "weights"];
const MOST_STEPS = 20_000;
const problem = data.problem ?? { y: [], w1: [], w2: [] };
const original = {
  mistake: "",
  labels: problem.y.flat().join(" "),
  lr: String(problem.lr),
  updates: String(Math.min(problem.steps, MOST_STEPS)),
  weights: [problem.w1, problem.w2].flat(2).join(" "),
};

/** Return whether a field has the value of the comparison. */
export const isOriginal = (id) => byId(id).value === original[id];

/** Put values into the form; a mistake that is not in the list is none. */
export function fill(valueOf) {
  for (const id of FIELDS) byId(id).value = valueOf(id) ?? original[id];
  if (byId("mistake").selectedIndex < 0) byId("mistake").value = "";
}

/** Keep in the link what differs from the comparison. */
export function keep() {
  const kept = FIELDS.map((id) => [id, isOriginal(id) ? null : byId(id).value]);
  remember(Object.fromEntries(kept));
}

/** Read numbers, as many as there should be; say what is wrong if there are others. */
function numbersIn(id, count, what, isAllowed = () => true) {
  const { value } = byId(id);
  const words = value.trim().split(/[\s,]+/);
  const numbers = words.map(Number);
  const good = numbers.every(
    (v, i) => words[i] !== "" && Number.isFinite(v) && isAllowed(v),
  );
  if (good && numbers.length === count) return numbers;
  const expected = count === 1 ? "one number is" : `${count} numbers are`;
  throw new RangeError(`${what}: ${expected} expected, and “${value}” is not that.`);
}

/** Cut numbers into rows. */
function rowsOf(numbers, width) {
  const starts = numbers.map((_, i) => i).filter((i) => i % width === 0);
  return starts.map((start) => numbers.slice(start, start + width));
}

/** Read the problem from the form; a RangeError says which field is wrong. */
export function problemIn() {
  const { x, y, w1, w2, loss } = problem;
  const [n_x, n_h, n_y, m] = [x.length, w1.length, w2.length, x[0].length];
  const isLabel = (v) => v >= 0 && v <= 1;
  const isCount = (v) => Number.isInteger(v) && v >= 1 && v <= MOST_STEPS;
  const labels = numbersIn("labels", y.length * m, "Labels, each from 0 to 1", isLabel);
  const weights = numbersIn("weights", n_h * (n_x + n_y), "Weights");
  const [lr] = numbersIn("lr", 1, "Learning rate, such as 0.9, with a point");
  const [steps] = numbersIn("updates", 1, `Steps, from 1 to ${MOST_STEPS}`, isCount);
  return {
    x,
    y: rowsOf(labels, m),
    w1: rowsOf(weights.slice(0, n_h * n_x), n_x),
    w2: rowsOf(weights.slice(n_h * n_x), n_h),
    lr,
    steps,
    loss,
  };
}
