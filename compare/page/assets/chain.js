import { byId, compact, create, data, quantity, sampleName } from "./numbers.js";
import { element, hasSteps, light, shown, whenShown } from "./step.js";

/**
 * The chain rule for one weight: a row for each sample, a column for each factor.
 *
 * A weight w2_ik acts on z2_ij for every sample j: dw2_ik = sum_j dz2_ij a1_kj. A weight
 * w1_kl acts on z1_kj: dw1_kl = sum_j (sum_i w2_ik dz2_ij) a1_kj (1 - a1_kj) x_lj.
 */

const weights = ["w1", "w2"].flatMap((name) => {
  const [rows, columns] = quantity[name].shape;
  return Array.from({ length: rows * columns }, (_, n) => ({
    name,
    to: Math.floor(n / columns),
    of: n % columns,
  }));
});

/** List the factors of a weight: a name, what it is, where it is, and its number. */
function factorsOf({ name, to, of }) {
  const outputs = quantity.w2.shape[0];
  if (name === "w2")
    return [
      ["dz2", "how the loss depends on z2: the error of the answer", ["dz2"], `unit-2-${to}`, (j) => element("dz2", [to, j])],
      ["a1", "how z2 depends on this weight: it is multiplied by a1", ["a1"], `unit-1-${of}`, (j) => element("a1", [of, j])],
    ];
  const back =
    outputs === 1
      ? [
          ["dz2", "how the loss depends on z2: the error of the answer", ["dz2"], "unit-2-0", (j) => element("dz2", [0, j])],
          ["w2", "how z2 depends on a1: it is multiplied by w2", ["w2", "z2"], `edge-w2-0-${to}`, () => element("w2", [0, to])],
        ]
      : [
          ["Σ w2 dz2", "how the loss depends on a1, through all outputs", ["dz2", "w2"], "", (j) =>
            Array.from({ length: outputs }, (_, i) => element("w2", [i, to]) * element("dz2", [i, j])).reduce((a, b) => a + b)],
        ];
  const a = (j) => element("a1", [to, j]);
  return [
    ...back,
    ["a1 (1 − a1)", "how a1 depends on z1: the slope of the sigmoid", ["a1", "dz1"], `unit-1-${to}`, (j) => a(j) * (1 - a(j))],
    ["x", "how z1 depends on this weight: it is multiplied by x", ["z1"], `unit-x-${of}`, (j) => element("x", [of, j])],
  ];
}

function drawChain() {
  const weight = weights[byId("weight").selectedIndex];
  const factors = factorsOf(weight);
  const samples = data.problem.x[0].map((_, j) => j).slice(0, 20);
  const product = (j) => factors.reduce((p, [, , , , number]) => p * number(j), 1);
  const head = create("tr", {}, create("th", { scope: "col" }, "sample"));
  factors.forEach(([name], i) => head.append(create("th", { scope: "col" }, (i ? "× " : "") + name)));
  head.append(create("th", { scope: "col" }, "= product"));
  const rows = samples.map((j) => {
    const sample = sampleName(data.problem.x.map((row) => row[j]));
    const row = create("tr", { class: j === shown.sample ? "chosen" : "" }, create("th", { scope: "row" }, sample));
    for (const [name, meaning, quantities, place, number] of factors) {
      const button = create("button", { type: "button", class: "factor" }, compact(number(j)));
      const explain = () => {
        light(quantities, place);
        byId("factor").textContent = `${name} = ${compact(number(j))}: ${meaning}.`;
      };
      button.addEventListener("focus", explain);
      button.addEventListener("pointerenter", explain);
      row.append(create("td", {}, button));
    }
    row.append(create("td", {}, compact(product(j))));
    return row;
  });
  const name = `d${weight.name}[${weight.to}, ${weight.of}]`;
  const sum = create("tr", { class: "sum" },
    create("th", { scope: "row", colspan: factors.length + 1 }, `the sum over all samples is ${name}`),
    create("td", {}, compact(element(`d${weight.name}`, [weight.to, weight.of]))));
  byId("chain").replaceChildren(create("thead", {}, head), create("tbody", {}, ...rows, sum));
}

if (hasSteps) {
  for (const { name, to, of } of weights)
    byId("weight").append(create("option", {}, `${name}[${to}, ${of}]`));
  byId("weight").addEventListener("change", drawChain);
  const pick = ({ dataset }) => {
    byId("weight").value = `${dataset.weight}[${dataset.to}, ${dataset.of}]`;
    drawChain();
  };
  for (const edge of document.querySelectorAll("[data-weight]")) {
    edge.addEventListener("click", () => pick(edge));
    edge.addEventListener("keydown", (e) => {
      if (e.key !== "Enter" && e.key !== " ") return;
      e.preventDefault();
      pick(edge);
    });
  }
  whenShown(drawChain);
  drawChain();
}
