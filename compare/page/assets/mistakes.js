import { each, matmul, total, transpose } from "./matrix.js";
import { linesOf } from "./lines.js";

/**
 * Mistakes that people make, to be planted in the training of this page.
 *
 * Names and sentences are those of compare/selftest/faults.py. A change gets the step as
 * far as it is computed, the quantity itself included, and the finished step before.
 */

const times = (factor) => (a) => each((value) => factor * value, a);
const clip = (a) => each((value) => Math.min(0.01, Math.max(-0.01, value)), a);
const samples = (s) => s.y[0].length;
const slope = (of) => (s) =>
  each((d, v) => d * of(v), matmul(transpose(s.w2), s.dz2), s.z1);
const bothUpdates = (change) => ({
  new_w1: (s, past) => change(s, past, "w1"),
  new_w2: (s, past) => change(s, past, "w2"),
});

export const MISTAKES = {
  "learning rate 0.1 % off": bothUpdates((s, past, w) =>
    each((v, d) => v - s.lr * 1.001 * d, s[w], s[`d${w}`]),
  ),
  "float32 in the sigmoid": { a1: (s) => each(Math.fround, s.a1) },
  "epsilon in the logarithm": {
    loss: ({ a2, y }) => [
      [
        total(
          each((a, t) => -t * Math.log(a + 1e-7) - (1 - t) * Math.log(1 - a + 1e-7), a2, y),
        ) / y[0].length,
      ],
    ],
  },
  "loss of the sum, not of the mean": { loss: (s) => times(samples(s))(s.loss) },
  "gradient of the sum, 1/m missing": { dz2: (s) => times(samples(s))(s.dz2) },
  "the squared error's gradient under cross-entropy": {
    dz2: ({ a2, y }) =>
      each((a, t) => (2 * (a - t) * a * (1 - a)) / y.flat().length, a2, y),
  },
  "cross-entropy's gradient under the squared error": {
    dz2: ({ a2, y }) => each((a, t) => (a - t) / y[0].length, a2, y),
  },
  "one sample dropped": { dz2: (s) => s.dz2.map((row) => [0, ...row.slice(1)]) },
  "w2 updated before dz1": {
    dz1: (s) => {
      const w2 = each((v, d) => v - s.lr * d, s.w2, s.dw2);
      return each((d, a) => d * a * (1 - a), matmul(transpose(w2), s.dz2), s.a1);
    },
  },
  "sigmoid's derivative left out": { dz1: slope(() => 1) },
  "sigmoid's derivative at z, not at a": { dz1: slope((z) => z * (1 - z)) },
  "wrong slope of a sample whose inputs are 0": {
    dz1: ({ dz1 }) =>
      dz1.map((row, i) => row.map((d, j) => (i === 0 && j === 0 ? 1.5 * d : d))),
  },
  "dw1 transposed": { dw1: (s) => transpose(s.dw1) },
  "dw1 with the wrong sign": { dw1: (s) => times(-1)(s.dw1) },
  "gradients 0.01 % too large": {
    dw2: (s) => times(1.0001)(s.dw2),
    dw1: (s) => times(1.0001)(s.dw1),
  },
  "gradient clipped at 0.01": { dw2: (s) => clip(s.dw2), dw1: (s) => clip(s.dw1) },
  "stale gradient": bothUpdates((s, past, w) =>
    each((v, d) => v - s.lr * d, s[w], past[`d${w}`]),
  ),
  "momentum left on": bothUpdates((s, past, w) =>
    each(
      (v, d, before) => v - s.lr * d + 0.9 * (v - before),
      s[w],
      s[`d${w}`],
      past[w],
    ),
  ),
  "weight decay left on": bothUpdates((s, past, w) =>
    each((v, d) => v - s.lr * (d + 1e-4 * v), s[w], s[`d${w}`]),
  ),
};

/** Train with a mistake: after a changed quantity, the lines that follow use it. */
export function* trainWith(changes, problem) {
  const { x, y, lr } = problem;
  let [w1, w2, past] = [problem.w1, problem.w2, null];
  for (let n = 0; n < problem.steps; n++) {
    const made = { x, y, lr, w1, w2 };
    for (const { quantity, formula } of linesOf(problem)) {
      made[quantity] = formula(made);
      const change = changes[quantity];
      if (change) made[quantity] = change(made, past ?? made);
    }
    past = made;
    [w1, w2] = [made.new_w1, made.new_w2];
    yield { ...made, loss: made.loss[0][0] };
  }
}
