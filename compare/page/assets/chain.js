import { byId, compact, create, data, quantity, sampleName } from "./numbers.js";
import { element, hasSteps, light, showBackward, shown, whenShown } from "./step.js";

/**
 * The chain rule for one weight: a row for each sample, a column for each factor.
 *
 * A weight w2_ik acts on z2_ij for every sample j: dw2_ik = sum_j dz2_ij a1_kj. A weight
 * w1_kl acts on z1_kj: dw1_kl = sum_j (sum_i w2_ik dz2_ij) a1_kj (1 - a1_kj) x_lj.
 */

const MOST_SAMPLES = 20;
let drawnRow = null; // of `data.steps`: another sample needs no new table
const weights = ["w1", "w2"].flatMap((name) => {
  const [rows, columns] = quantity[name].shape;
  return Array.from({ length: rows * columns }, (_, n) => ({
    name,
    to: Math.floor(n / columns),
    of: n % columns,
  }));
});

/**
 * List the factors of a weight.
 *
 * Each has a name, a meaning, the quantity (x is none) and the place that light up with
 * it, and its number for sample j.
 */
function factorsOf({ name, to, of }) {
  const error = (i) => ({
    name: "dz2",
    meaning: "how the loss depends on z2: the error of the answer",
    quantity: "dz2",
    place: `unit-2-${i}`,
    number: (j) => element("dz2", [i, j]),
  });
  if (name === "w2")
    return [
      error(to),
      {
        name: "a1",
        meaning: "how z2 depends on this weight: it is multiplied by a1",
        quantity: "a1",
        place: `unit-1-${of}`,
        number: (j) => element("a1", [of, j]),
      },
    ];
  const slope = (a) => a * (1 - a);
  return [
    ...(quantity.w2.shape[0] === 1 ? [error(0), through(to)] : [throughAll(to)]),
    {
      name: "a1 (1 − a1)",
      meaning: "how a1 depends on z1: the slope of the sigmoid",
      quantity: "a1",
      place: `unit-1-${to}`,
      number: (j) => slope(element("a1", [to, j])),
    },
    {
      name: "x",
      meaning: "how z1 depends on this weight: it is multiplied by x",
      place: `unit-x-${of}`,
      number: (j) => element("x", [of, j]),
    },
  ];
}

/** From the only output back to a hidden unit. */
const through = (hidden) => ({
  name: "w2",
  meaning: "how z2 depends on a1: it is multiplied by w2",
  quantity: "w2",
  place: `edge-w2-0-${hidden}`,
  number: () => element("w2", [0, hidden]),
});

/** From several outputs back to a hidden unit. */
const throughAll = (hidden) => ({
  name: "Σ w2 dz2",
  meaning: "how the loss depends on a1, through all outputs",
  quantity: "dz2",
  place: `unit-1-${hidden}`,
  number: (j) =>
    Array.from(
      { length: quantity.w2.shape[0] },
      (_, i) => element("w2", [i, hidden]) * element("dz2", [i, j]),
    ).reduce((sum, part) => sum + part),
});

/** Create a factor: when it is chosen, the picture shows it, and the note says what it is. */
function cellOf({ name, meaning, quantity: of, place, number }, j) {
  const text = compact(number(j));
  const button = create("button", { type: "button", class: "factor" }, text);
  const explain = () => {
    showBackward(j);
    light(of ? [of] : [], place, `${name} = ${text}: ${meaning}.`);
    button.classList.add("lit");
  };
  button.addEventListener("focus", explain);
  button.addEventListener("click", explain); // not every browser focuses what is clicked
  return create("td", {}, button);
}

/**
 * Write terms, and last their sum, with the same number of decimals.
 *
 * The sum has four digits, if the largest term has then at most eight. Where the rounded
 * terms do not add up to the rounded sum, up to four more decimals are tried.
 */
function writeSum(terms, sum) {
  const all = [...terms, sum];
  const largest = Math.max(...all.map(Math.abs));
  if (largest === 0 || !Number.isFinite(largest)) return all.map(compact);
  const order = (value) => Math.floor(Math.log10(Math.abs(value)));
  const power = order(largest) < -4 || order(largest) > 5 ? order(largest) : 0;
  const scaled = all.map((value) => value / 10 ** power);
  const forFour = (value) => Math.max(3 - order(value / 10 ** power), 0);
  const least = Math.min(forFour(sum), forFour(largest) + 4);
  const addsUp = (decimals) => {
    const rounded = scaled.map((value) => Math.round(value * 10 ** decimals));
    return rounded.pop() === rounded.reduce((total, value) => total + value, 0);
  };
  const decimals = [0, 1, 2, 3, 4].map((more) => least + more).find(addsUp) ?? least;
  const unit = power ? `e${power}` : "";
  const write = (value) => (value === 0 ? "0" : value.toFixed(decimals) + unit);
  return scaled.map((value) => write(value).replaceAll("-", "−"));
}

const title = (text) => create("th", { scope: "col" }, text);

function drawChain() {
  const { name, to, of } = weights[byId("weight").selectedIndex];
  const factors = factorsOf({ name, to, of });
  const titles = factors.map((factor, i) => title((i ? "× " : "") + factor.name));
  const head = create("tr", {}, title("sample"), ...titles, title("= product"));
  const samples = data.problem.x[0].map((_, j) => j).slice(0, MOST_SAMPLES);
  const products = samples.map((j) =>
    factors.reduce((value, factor) => value * factor.number(j), 1),
  );
  const written = writeSum(products, element(`d${name}`, [to, of]));
  const rows = samples.map((j) => {
    const sample = sampleName(data.problem.x.map((row) => row[j]));
    return create(
      "tr",
      {},
      create("th", { scope: "row" }, sample),
      ...factors.map((factor) => cellOf(factor, j)),
      create("td", {}, written[j]),
    );
  });
  const words = `the sum over all samples is d${name}[${to}, ${of}]`;
  const sum = create(
    "tr",
    { class: "sum" },
    create("th", { scope: "row", colspan: factors.length + 1 }, words),
    create("td", {}, written.at(-1)),
  );
  byId("chain").replaceChildren(
    create("thead", {}, head),
    create("tbody", {}, ...rows, sum),
  );
  drawnRow = shown.row;
  markSample();
}

function markSample() {
  const rows = byId("chain").querySelectorAll("tbody tr");
  rows.forEach((row, j) => row.classList.toggle("chosen", j === shown.sample));
}

/** Draw other numbers: what lit up before, and its note, belonged to the old ones. */
function redraw() {
  light([]);
  if (shown.row === drawnRow) markSample();
  else drawChain();
}

function pick({ dataset }) {
  byId("weight").value = `${dataset.weight}[${dataset.to}, ${dataset.of}]`;
  drawChain();
}

if (hasSteps) {
  for (const { name, to, of } of weights)
    byId("weight").append(create("option", {}, `${name}[${to}, ${of}]`));
  byId("weight").addEventListener("change", () => {
    light([]);
    drawChain();
  });
  for (const edge of document.querySelectorAll("[data-weight]")) {
    edge.addEventListener("click", () => pick(edge));
    edge.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      pick(edge);
    });
  }
  whenShown(redraw);
  drawChain();
}
