import { each, matmul, total, transpose } from "./matrix.js";
import { linesOf } from "./lines.js";

/**
 * Mistakes that people make, to be planted in the training of this page.
 *
 * Names and sentences are those of compare/selftest/faults.py. A mistake states for each
 * quantity what is written in place of the right side of its equation, and the change that
 * does so. What is written may be made of that right side. A change gets the step as far as
 * it is computed, the quantity itself included, and the finished step before, which is
 * written as `dw1_before`.
 */

const times = (factor) => (a) => each((value) => factor * value, a);
const clip = (a) => each((value) => Math.min(0.01, Math.max(-0.01, value)), a);
const samples = (s) => s.y[0].length;
const slope = (of) => (s) =>
  each((d, v) => d * of(v), matmul(transpose(s.w2), s.dz2), s.z1);
const instead = (written, change) => ({ written, change });
const bothUpdates = (written, change) => ({
  new_w1: instead(written("w1"), (s, past) => change(s, past, "w1")),
  new_w2: instead(written("w2"), (s, past) => change(s, past, "w2")),
});

export const MISTAKES = {
  "learning rate 0.1 % off": bothUpdates(
    (w) => `${w} - 1.001 lr d${w}`,
    (s, past, w) => each((v, d) => v - s.lr * 1.001 * d, s[w], s[`d${w}`]),
  ),
  "float32 in the sigmoid": {
    a1: instead("float32(sigmoid(z1))", (s) => each(Math.fround, s.a1)),
  },
  "epsilon in the logarithm": {
    loss: instead(
      "mean(-y log(a2 + 1e-7) - (1 - y) log(1 - a2 + 1e-7))",
      ({ a2, y }) => {
        const log = (a) => Math.log(a + 1e-7);
        const terms = each((a, t) => -t * log(a) - (1 - t) * log(1 - a), a2, y);
        return [[total(terms) / y[0].length]];
      },
    ),
  },
  "loss of the sum, not of the mean": {
    loss: instead(
      (right) => `m ${right}`,
      (s) => times(samples(s))(s.loss),
    ),
  },
  "gradient of the sum, 1/m missing": {
    dz2: instead(
      (right) => right.replace(" / m", "").replace("(m n_y)", "n_y"),
      (s) => times(samples(s))(s.dz2),
    ),
  },
  "the squared error's gradient under cross-entropy": {
    dz2: instead("2 (a2 - y) * a2 * (1 - a2) / (m n_y)", ({ a2, y }) =>
      each((a, t) => (2 * (a - t) * a * (1 - a)) / y.flat().length, a2, y),
    ),
  },
  "cross-entropy's gradient under the squared error": {
    dz2: instead("(a2 - y) / m", ({ a2, y }) =>
      each((a, t) => (a - t) / y[0].length, a2, y),
    ),
  },
  "one sample dropped": {
    dz2: instead(
      (right) => `${right}; dz2[:, 0] = 0`,
      (s) => s.dz2.map((row) => [0, ...row.slice(1)]),
    ),
  },
  "w2 updated before dz1": {
    dz1: instead("((w2 - lr dw2).T @ dz2) * a1 * (1 - a1)", (s) => {
      const w2 = each((v, d) => v - s.lr * d, s.w2, s.dw2);
      return each((d, a) => d * a * (1 - a), matmul(transpose(w2), s.dz2), s.a1);
    }),
  },
  "sigmoid's derivative left out": { dz1: instead("w2.T @ dz2", slope(() => 1)) },
  "sigmoid's derivative at z, not at a": {
    dz1: instead("(w2.T @ dz2) * z1 * (1 - z1)", slope((z) => z * (1 - z))),
  },
  "wrong slope of a sample whose inputs are 0": {
    dz1: instead(
      (right) => `${right}; dz1[0, 0] *= 1.5`,
      ({ dz1 }) =>
        dz1.map((row, i) => row.map((d, j) => (i === 0 && j === 0 ? 1.5 * d : d))),
    ),
  },
  "dw1 transposed": { dw1: instead("(dz1 @ x.T).T", (s) => transpose(s.dw1)) },
  "dw1 with the wrong sign": { dw1: instead("-dz1 @ x.T", (s) => times(-1)(s.dw1)) },
  "gradients 0.01 % too large": {
    dw2: instead("1.0001 dz2 @ a1.T", (s) => times(1.0001)(s.dw2)),
    dw1: instead("1.0001 dz1 @ x.T", (s) => times(1.0001)(s.dw1)),
  },
  "gradient clipped at 0.01": {
    dw2: instead("clip(dz2 @ a1.T, -0.01, 0.01)", (s) => clip(s.dw2)),
    dw1: instead("clip(dz1 @ x.T, -0.01, 0.01)", (s) => clip(s.dw1)),
  },
  "stale gradient": bothUpdates(
    (w) => `${w} - lr d${w}_before`,
    (s, past, w) => each((v, d) => v - s.lr * d, s[w], past[`d${w}`]),
  ),
  "momentum left on": bothUpdates(
    (w) => `${w} - lr d${w} + 0.9 (${w} - ${w}_before)`,
    (s, past, w) =>
      each(
        (v, d, before) => v - s.lr * d + 0.9 * (v - before),
        s[w],
        s[`d${w}`],
        past[w],
      ),
  ),
  "weight decay left on": bothUpdates(
    (w) => `${w} - lr (d${w} + 0.0001 ${w})`,
    (s, past, w) => each((v, d) => v - s.lr * (d + 1e-4 * v), s[w], s[`d${w}`]),
  ),
};

/** List what a mistake changes: the right equation, and what is written in its place. */
export function changesOf(mistake, statements) {
  return Object.entries(mistake).map(([quantity, { written }]) => {
    const [left, right] = statements[quantity].split(" = ");
    const wrong = typeof written === "string" ? written : written(right);
    return [`${left} = ${right}`, `${left} = ${wrong}`];
  });
}

/** Train with a mistake: after a changed quantity, the lines that follow use it. */
export function* trainWith(mistake, problem) {
  const { x, y, lr } = problem;
  let [w1, w2, past] = [problem.w1, problem.w2, null];
  for (let n = 0; n < problem.steps; n++) {
    const made = { x, y, lr, w1, w2 };
    for (const { quantity, formula } of linesOf(problem)) {
      made[quantity] = formula(made);
      const change = mistake[quantity]?.change;
      if (change) made[quantity] = change(made, past ?? made);
    }
    past = made;
    [w1, w2] = [made.new_w1, made.new_w2];
    yield { ...made, loss: made.loss[0][0] };
  }
}
