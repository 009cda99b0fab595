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

/**
 * Return the share of its bound that a line uses in a step, for each of its elements.
 *
 * It is NaN where the right value is not finite, so that the line cannot be judged, and
 * Infinity where only the recorded one is not.
 */
function sharesOf(line, inputs, found) {
  const value = line.formula(inputs);
  const size = line.magnitude(inputs, value).flat();
  const count = WITHOUT_WIDER_FLOAT * roundings(line.terms);
  const recorded = asMatrix(found).flat();
  return value.flat().map((right, i) => {
    const difference = Math.abs(recorded[i] - right);
    if (!Number.isFinite(right)) return NaN;
    if (!Number.isFinite(difference)) return Infinity;
    return difference / (count * (U * size[i] + TINY));
  });
}

/** Find the element of a line that is farthest beyond its bound: found, and right. */
function worstOf(line, inputs, found) {
  const shares = sharesOf(line, inputs, found);
  const n = shares.indexOf(Math.max(...shares));
  const right = line.formula(inputs);
  const [row, column] = [Math.floor(n / right[0].length), n % right[0].length];
  const index = typeof found === "number" ? "" : `[${row}, ${column}]`;
  return { index, found: asMatrix(found)[row][column], right: right[row][column] };
}

/**
 * Audit all steps of a run.
 *
 * Returns for each line its quantity, the largest share of its bound that was used, the
 * first step at which that was more than all of it, and the first at which it cannot be
 * judged (each null if there is none). Where there is a first failure, `worst` is the
 * element that is farthest beyond its bound there.
 */
export function audit(problem, steps) {
  const { x, y, lr } = problem;
  const orNull = (step) => (step < 0 ? null : step);
  return linesOf(problem).map((line) => {
    const args = (s) => [line, { ...s, x, y, lr }, s[line.quantity]];
    const shares = steps.map((s) => Math.max(...sharesOf(...args(s))));
    const first = orNull(shares.findIndex((share) => share > 1));
    return {
      quantity: line.quantity,
      used: shares.reduce((most, share) => (share > most ? share : most), 0),
      first,
      worst: first === null ? null : worstOf(...args(steps[first])),
      unknown: orNull(shares.findIndex(Number.isNaN)),
    };
  });
}

/** The lines in the order of their first failures; those without one come last. */
export const byFailure = (found) =>
  [...found].sort((a, b) => (a.first ?? Infinity) - (b.first ?? Infinity) || 0);
