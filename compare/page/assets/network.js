import { each, matmul, total, transpose } from "./matrix.js";

/**
 * The network in JavaScript, differentiated by hand: the fourth implementation.
 *
 * The functions are those of impls/numpy_manual.py, in the same order. JavaScript's
 * numbers are float64, so what this file computes can be compared with the other three.
 * `@` of NumPy is `matmul` here, and what NumPy does to whole arrays is `each`.
 */

/** Compute 1 / (1 + exp(-z)). For a large negative z, exp(-z) is Infinity: 1 / it is 0. */
const sigmoid = (z) => 1 / (1 + Math.exp(-z));

/** Compute log(1 + exp(z)) without overflow. */
const softplus = (z) => Math.log1p(Math.exp(-Math.abs(z))) + Math.max(z, 0);

/** Compute the activations: the forward pass. Shapes: w1 (n_h, n_x), w2 (n_y, n_h). */
export function propagate({ w1, w2 }, x) {
  const z1 = matmul(w1, x); // (n_h, m)
  const a1 = each(sigmoid, z1); // (n_h, m)
  const z2 = matmul(w2, a1); // (n_y, m)
  const a2 = each(sigmoid, z2); // (n_y, m)
  return { z1, a1, z2, a2 };
}

/** Compute the mean loss, a number. */
export function cost(z2, a2, y, loss) {
  const m = y[0].length;
  if (loss === "bce") {
    // -log(a2) is log(1 + exp(-z2)), and -log(1 - a2) is log(1 + exp(z2)).
    const terms = each((z, t) => t * softplus(-z) + (1 - t) * softplus(z), z2, y);
    return total(terms) / m;
  }
  return total(each((a, t) => (a - t) ** 2, a2, y)) / (m * y.length);
}

/** Compute the activations, then the derivatives of the mean loss: the backward pass. */
export function differentiate({ w1, w2 }, x, y, loss) {
  const m = y[0].length;
  const { z1, a1, z2, a2 } = propagate({ w1, w2 }, x);

  // The sigmoid has the derivative a (1 - a). In the cross-entropy it cancels.
  const dz2 =
    loss === "bce"
      ? each((a, t) => (a - t) / m, a2, y) // (n_y, m)
      : each((a, t) => (2 * (a - t) * a * (1 - a)) / (m * y.length), a2, y);

  // z2 = w2 @ a1: the weight w2_ik acts on all samples j, each time times a1_kj.
  const dw2 = matmul(dz2, transpose(a1)); // (n_y, m) @ (m, n_h): (n_y, n_h)

  // In the same product, a1_kj acts on all outputs i, each time times w2_ik.
  const da1 = matmul(transpose(w2), dz2); // (n_h, n_y) @ (n_y, m): (n_h, m)

  // a1 = sigmoid(z1), so its derivative is a1 (1 - a1).
  const dz1 = each((d, a) => d * a * (1 - a), da1, a1); // (n_h, m)

  // z1 = w1 @ x: as for dw2.
  const dw1 = matmul(dz1, transpose(x)); // (n_h, m) @ (m, n_x): (n_h, n_x)

  return { z1, a1, z2, a2, dz2, dw2, dz1, dw1 };
}

/** Make one step of gradient descent: all its quantities, and the new weights. */
export function step(weights, { x, y, lr, loss }) {
  const found = differentiate(weights, x, y, loss);
  const descend = (w, dw) => w - lr * dw;
  return {
    ...weights,
    ...found,
    loss: cost(found.z2, found.a2, y, loss),
    new_w1: each(descend, weights.w1, found.dw1),
    new_w2: each(descend, weights.w2, found.dw2),
  };
}

/** Train, and give each step when it is made, so that a page can show it. */
export function* train(problem) {
  let weights = { w1: problem.w1, w2: problem.w2 };
  for (let n = 0; n < problem.steps; n++) {
    const made = step(weights, problem);
    weights = { w1: made.new_w1, w2: made.new_w2 };
    yield made;
  }
}
