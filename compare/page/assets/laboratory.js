import { audit, firstFailure } from "./audit.js";
import { MISTAKES, trainWith } from "./mistakes.js";
import { train } from "./network.js";
import { byId, compact, create, data } from "./numbers.js";
import { LEVELS, ROWS, apart, drawLosses, drawSpreading } from "./pictures.js";
import { safetensors } from "./safetensors.js";
import { recall, remember, whenLinked } from "./state.js";

/** Break it: train in the page, with or without a mistake, and audit what came of it. */

const FIELDS = ["mistake", "labels", "lr", "updates", "weights"];
const MOST_STEPS = 20_000;
const FRAME = 12; // milliseconds of training between two pictures
const still = matchMedia("(prefers-reduced-motion: reduce)");
const planted = data.mistakes.filter(({ name }) => name in MISTAKES);
const original = {
  mistake: "",
  labels: data.problem?.y.flat().join(" "),
  lr: String(data.problem?.lr),
  updates: String(Math.min(data.problem?.steps, MOST_STEPS)),
  weights: [data.problem?.w1, data.problem?.w2].flat(2).join(" "),
};
let turn = 0; // a newer training ends an older one
let trained = null;

/** Read numbers, as many as there should be; say what is wrong if there are others. */
function numbersIn(id, count, allowed, what) {
  const words = byId(id).value.trim().split(/[\s,]+/);
  const numbers = words.map(Number);
  if (numbers.length !== count || !numbers.every((v, i) => words[i] !== "" && Number.isFinite(v) && allowed(v)))
    throw new RangeError(`${what}: ${count === 1 ? "one number is" : `${count} numbers are`} expected, and “${byId(id).value}” is not that.`);
  return numbers;
}

const rowsOf = (numbers, width) =>
  Array.from({ length: numbers.length / width }, (_, i) => numbers.slice(i * width, (i + 1) * width));

/** Read the problem from the form. */
function problemIn() {
  const { x, y, w1, w2, loss } = data.problem;
  const [m, n_h] = [x[0].length, w1.length];
  const split = n_h * x.length;
  const labels = numbersIn("labels", y.length * m, (v) => v >= 0 && v <= 1, "Labels, each from 0 to 1");
  const weights = numbersIn("weights", split + w2.length * n_h, () => true, "Weights");
  const [lr] = numbersIn("lr", 1, () => true, "Learning rate");
  const whole = (v) => Number.isInteger(v) && v >= 1 && v <= MOST_STEPS;
  const [steps] = numbersIn("updates", 1, whole, `Steps, from 1 to ${MOST_STEPS.toLocaleString("en")}`);
  return {
    x, loss, lr, steps,
    y: rowsOf(labels, m),
    w1: rowsOf(weights.slice(0, split), x.length),
    w2: rowsOf(weights.slice(split), n_h),
  };
}

const nextFrame = () => new Promise((done) => requestAnimationFrame(done));

/** Train, and show the loss as it comes; null if a newer training has begun. */
async function collect(steps, show) {
  const mine = ++turn;
  const made = [];
  let pause = performance.now() + FRAME;
  for (const step of steps) {
    made.push(step);
    if (still.matches || performance.now() < pause) continue;
    show(made);
    await nextFrame();
    if (mine !== turn) return null;
    pause = performance.now() + FRAME;
  }
  show(made);
  return made;
}

function drawAudit(found) {
  const head = ["line", "largest share of its bound", "first failure"].map((text) => create("th", { scope: "col" }, text));
  const rows = found.map(({ quantity, used, first }) =>
    create("tr", { class: first === null ? "" : "failed" },
      create("th", { scope: "row" }, quantity.replace("_", " ")),
      create("td", {}, used > 10 ? `${used.toExponential(1)} times` : `${(100 * used).toFixed(0)} %`),
      create("td", {}, first === null ? "none" : `step ${first.toLocaleString("en")}`)));
  byId("audit").replaceChildren(create("thead", {}, create("tr", {}, ...head)), create("tbody", {}, ...rows));
}

/** Say what the audit found, and how the mistake spreads. */
function outcome(name, failure, steps, right) {
  const [end, good] = [steps.at(-1).loss, right.at(-1).loss];
  if (!failure) {
    const other = name ? " In this problem, the mistake changes nothing." : "";
    return `The audit finds every line right. The last loss is ${compact(end)}.${other}`;
  }
  const { quantity, first } = failure;
  const after = steps[first + 1];
  const touched = after ? ROWS.filter((q) => apart(after[q], right[first + 1][q]) > LEVELS[0]) : [];
  const spread = touched.length ? ` In step ${first + 1}, ${touched.map((q) => q.replace("_", " ")).join(", ")} are no longer those of a right run.` : "";
  return `The audit names ${quantity.replace("_", " ")} first, at step ${first}.${spread} The last loss is ${compact(end)}, and ${compact(good)} without the mistake.`;
}

async function experiment() {
  byId("save").disabled = true;
  byId("outcome").dataset.done = "";
  let problem;
  try {
    problem = problemIn();
  } catch (error) {
    byId("outcome").textContent = error.message;
    return;
  }
  const name = byId("mistake").value;
  const losses = (made) => made.map((s) => s.loss);
  byId("outcome").textContent = "Training…";
  const right = name ? [...train(problem)] : null;
  const shade = { losses: losses(right ?? []), style: "reference" };
  const run = name ? trainWith(MISTAKES[name], problem) : train(problem);
  const steps = await collect(run, (made) =>
    drawLosses([...(name ? [shade] : []), { losses: losses(made), style: name ? "s1" : "s0" }], problem.steps));
  if (!steps) return;
  const found = audit(problem, steps);
  const failure = firstFailure(found);
  drawAudit(found);
  if (right) drawSpreading(steps, right, failure);
  const words = outcome(name, failure, steps, right ?? steps);
  byId("outcome").textContent = words;
  byId("spread").hidden = !name;
  byId("live-caption").textContent = name
    ? `Solid: with the mistake, ending at ${compact(steps.at(-1).loss)}. Dashed: without it, ending at ${compact(right.at(-1).loss)}.`
    : `From ${compact(steps[0].loss)} to ${compact(steps.at(-1).loss)}.`;
  byId("live").setAttribute("aria-label", `Loss by step. ${byId("live-caption").textContent}`);
  byId("spreading").setAttribute("aria-label", `How far each quantity is from a right run, by step. ${words}`);
  byId("outcome").dataset.named = failure?.quantity ?? "";
  byId("outcome").dataset.done = "yes";
  trained = { problem, steps };
  byId("save").disabled = false;
}

async function save() {
  const { problem, steps } = trained;
  const file = await safetensors(problem, steps, data.about);
  const link = create("a", { href: URL.createObjectURL(file), download: "javascript.safetensors" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function showSentence() {
  const chosen = planted.find(({ name }) => name === byId("mistake").value);
  byId("sentence").textContent = chosen?.sentence ?? "";
  const table = Object.entries(data.tables).find(([, labels]) => labels.join(" ") === byId("labels").value);
  if (byId("table")) byId("table").value = table?.[0] ?? "";
}

/** Keep what differs from the comparison in the link, and train. */
function changed() {
  showSentence();
  remember(Object.fromEntries(FIELDS.map((id) => [id, byId(id).value === original[id] ? null : byId(id).value])));
  return experiment();
}

/** Put values into the form; a mistake that is not in the list is none. */
function fill(values) {
  for (const id of FIELDS) byId(id).value = values(id) ?? original[id];
  if (byId("mistake").selectedIndex < 0) byId("mistake").value = "";
  showSentence();
}

if (data.problem) {
  byId("mistake").append(...planted.map(({ name }) => create("option", { value: name }, name)));
  byId("table")?.append(...Object.keys(data.tables).map((name) => create("option", { value: name }, name)));
  byId("table")?.addEventListener("change", (e) => {
    byId("labels").value = (data.tables[e.target.value] ?? data.problem.y.flat()).join(" ");
    changed();
  });
  byId("mistake").addEventListener("change", changed);
  byId("laboratory").addEventListener("submit", (e) => {
    e.preventDefault();
    changed();
  });
  byId("reset").addEventListener("click", () => {
    fill(() => null);
    changed();
  });
  byId("save").addEventListener("click", save);
  whenLinked(() => {
    fill(recall);
    experiment();
  });
}
