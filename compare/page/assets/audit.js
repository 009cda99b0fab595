import { linesOf } from "./lines.js";

/**
 * The audit: each line of each step again, from its recorded inputs.
 *
 * JavaScript has no wider float than the one it audits. So a bound is twice the roundings
 * of its line: once for the run, once for the audit (`oracle_factor` in
 * compare/numerics/rounding.py). Source of the bounds: Higham, "Accuracy and Stability of
 * Numerical Algorithms" (2002), section 3.1.
 */

const U = 2 ** -53; // the unit roundoff of float64
const TINY = 2 ** -1022; // below it, precision is absolute
const WITHOUT_WIDER_FLOAT = 2;
const roundings = (terms) => (terms <= 4 ? 6 : terms + 3);
export const asMatrix = (value) => (typeof value === "number" ? [[value]] : value);

/** Return the largest share of its bound that a line uses in a step; NaN is Infinity. */
function shareOf(line, inputs, found) {
  const value = line.formula(inputs);
  const size = line.magnitude(inputs, value).flat();
  const count = WITHOUT_WIDER_FLOAT * roundings(line.terms);
  const recorded = asMatrix(found).flat();
  return Math.max(
    ...value.flat().map((right, i) => {
      const difference = Math.abs(recorded[i] - right);
      const share = difference / (count * (U * size[i] + TINY));
      return difference === 0 ? 0 : Number.isNaN(share) ? Infinity : share;
    }),
  );
}

/**
 * Audit all steps of a run.
 *
 * Returns for each line its quantity, the largest share of its bound that was used, and
 * the first step at which that was more than all of it (null if there is none).
 */
export function audit(problem, steps) {
  const { x, y, lr } = problem;
  const found = linesOf(problem).map((line) => {
    const shares = steps.map((s) => shareOf(line, { ...s, x, y, lr }, s[line.quantity]));
    const first = shares.findIndex((share) => !(share <= 1));
    const used = shares.reduce((most, share) => Math.max(most, share), 0);
    return { quantity: line.quantity, used, first: first < 0 ? null : first };
  });
  return found;
}

/** The line that is named: the earliest failure; in one step, the first line of it. */
export const firstFailure = (found) =>
  found
    .filter((line) => line.first !== null)
    .reduce((a, b) => (a === null || b.first < a.first ? b : a), null);
