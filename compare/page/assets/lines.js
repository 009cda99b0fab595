import { each, matmul, total, transpose } from "./matrix.js";

/**
 * The lines of the mathematics, each with the sum of the magnitudes of its terms.
 *
 * They are written a second time, apart from network.js, so that a mistake in one is not
 * in both; see compare/numerics/equations.py and rounding.py, whose bounds these are.
 */

const absolute = (a) => each(Math.abs, a);
const logistic = (a) => each((z) => 1 / (1 + Math.exp(-z)), a);
const log1pExp = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
const number = (value) => [[value]]; // a matrix of one element

const product = (quantity, a, b, terms) => ({
  quantity,
  terms,
  formula: (s) => matmul(s[a], s[b]),
  magnitude: (s) => matmul(absolute(s[a]), absolute(s[b])),
});
const gradient = (quantity, d, a, terms) => ({
  quantity,
  terms,
  formula: (s) => matmul(s[d], transpose(s[a])),
  magnitude: (s) => matmul(absolute(s[d]), transpose(absolute(s[a]))),
});
const activation = (quantity, z) => ({
  quantity,
  terms: 1,
  formula: (s) => logistic(s[z]),
  magnitude: (s, value) => absolute(value),
});
const update = (w) => ({
  quantity: `new_${w}`,
  terms: 1,
  formula: (s) => each((v, d) => v - s.lr * d, s[w], s[`d${w}`]),
  magnitude: (s, value) =>
    each((v, d) => Math.abs(v) + Math.abs(s.lr * d), value, s[`d${w}`]),
});

const CROSS_ENTROPY = (m) => [
  {
    quantity: "loss",
    formula: ({ z2, y }) =>
      number(total(each((z, t) => t * log1pExp(-z) + (1 - t) * log1pExp(z), z2, y)) / m),
    magnitude: ({ z2, y }) =>
      number(total(each((z, t) => log1pExp(z) + (1 + t) * Math.abs(z), z2, y)) / m),
  },
  {
    quantity: "dz2",
    terms: 1,
    formula: ({ a2, y }) => each((a, t) => (a - t) / m, a2, y),
    magnitude: ({ a2, y }) =>
      each((a, t) => ((1 - t) * Math.abs(a) + t * Math.abs(1 - a)) / m, a2, y),
  },
];
const SQUARED_ERROR = (count) => [
  {
    quantity: "loss",
    formula: ({ a2, y }) => number(total(each((a, t) => (a - t) * (a - t), a2, y)) / count),
    magnitude: (s, value) => value,
  },
  {
    quantity: "dz2",
    terms: 1,
    formula: ({ a2, y }) => each((a, t) => (2 * (a - t) * a * (1 - a)) / count, a2, y),
    magnitude: (s, value) => absolute(value),
  },
];

/** List the lines of a step of a problem, in the order of computation. */
export function linesOf({ x, y, w1, loss }) {
  const [n_x, n_h, n_y, m] = [x.length, w1.length, y.length, x[0].length];
  const [value, slope] = loss === "bce" ? CROSS_ENTROPY(m) : SQUARED_ERROR(m * n_y);
  return [
    product("z1", "w1", "x", n_x),
    activation("a1", "z1"),
    product("z2", "w2", "a1", n_h),
    activation("a2", "z2"),
    { ...value, terms: n_y * m },
    slope,
    gradient("dw2", "dz2", "a1", m),
    {
      quantity: "dz1",
      terms: n_y + 1,
      formula: ({ w2, dz2, a1 }) =>
        each((d, a) => d * a * (1 - a), matmul(transpose(w2), dz2), a1),
      magnitude: ({ w2, dz2, a1 }) =>
        each(
          (d, a) => d * Math.abs(a) * Math.abs(1 - a),
          matmul(transpose(absolute(w2)), absolute(dz2)),
          a1,
        ),
    },
    gradient("dw1", "dz1", "x", m),
    update("w1"),
    update("w2"),
  ];
}
