import { asMatrix, audit, byFailure } from "./audit.js";
import { FIELDS, fill, isOriginal, keep, problemIn } from "./form.js";
import { MISTAKES, changesOf, trainWith } from "./mistakes.js";
import { train } from "./network.js";
import { byId, compact, create, data, distinct, spelled } from "./numbers.js";
import { LEVELS, ROWS, apart, coincide, drawLosses, drawSpreading } from "./pictures.js";
import { safetensors } from "./safetensors.js";
import { recall, whenLinked } from "./state.js";

/** Break it: train in the page, with or without a mistake, and audit what came of it. */

const FRAME = 12; // milliseconds of training between two pictures
const still = matchMedia("(prefers-reduced-motion: reduce)");
const statements = Object.fromEntries(data.quantities.map((q) => [q.name, q.statement]));
const planted = data.mistakes.filter(({ name }) => name in MISTAKES);
let turn = 0; // a newer training ends an older one
let trained = null;

const nextFrame = () => new Promise((done) => requestAnimationFrame(done));

/** Collect all steps, and show them as they come; null if a newer training began. */
async function collect(steps, show) {
  const mine = turn;
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

/** Name a quantity as the page does. */
const spoken = (quantity) => quantity.replace("_", " ");

/** Write a share of a bound. */
function shareIn(used) {
  if (used === Infinity) return "not finite";
  return used > 10 ? `${used.toExponential(1)} times` : `${Math.round(100 * used)} %`;
}

function drawAudit(found) {
  const titles = ["line", "largest share of its bound", "first failure"];
  const head = titles.map((title) => create("th", { scope: "col" }, title));
  const rows = found.map(({ quantity, used, first, unknown }) => {
    const end = unknown === null ? "none" : `none before step ${spelled(unknown)}`;
    const failure = first === null ? end : `step ${spelled(first)}`;
    return create(
      "tr",
      { class: first === null ? "" : "failed" },
      create("th", { scope: "row" }, spoken(quantity)),
      create("td", {}, shareIn(used)),
      create("td", {}, failure),
    );
  });
  byId("audit").replaceChildren(
    create("thead", {}, create("tr", {}, ...head)),
    create("tbody", {}, ...rows),
  );
}

/** Name the quantities of a step that are not those of a right run. */
function wrongIn(n, steps, right) {
  if (n >= steps.length) return "";
  const differs = (name) => apart(steps[n][name], right[n][name]) > LEVELS[0];
  return ROWS.filter(differs).map(spoken).join(", ");
}

/** Say what differs in the step where a mistake enters, and what in the next. */
function spreadFrom(n, steps, right) {
  const [now, then] = [wrongIn(n, steps, right), wrongIn(n + 1, steps, right)];
  const begin = `In step ${spelled(n)}, these differ from a right run: ${now}.`;
  return then ? `${begin} From step ${spelled(n + 1)} on: ${then}.` : begin;
}

/** Say with which loss a run ends, or where its numbers end. */
function endOf(steps) {
  const { loss } = steps.at(-1);
  const areFinite = (value) => asMatrix(value).flat().every(Number.isFinite);
  const n = steps.findIndex((step) => !ROWS.every((name) => areFinite(step[name])));
  if (n < 0) return `The last loss is ${compact(loss)}.`;
  const until = `From step ${spelled(n)} on, the numbers are no longer finite`;
  return `${until}: the last loss is ${loss}.`;
}

/** Say what the audit found, how the mistake spreads, and how the training ends. */
function outcome(failure, steps, right) {
  const end = endOf(steps);
  if (!failure) {
    const harmless = right ? " Here, the mistake changes nothing." : "";
    return `The audit finds no line wrong. ${end}${harmless}`;
  }
  const { quantity, first, worst } = failure;
  const [found, expected] = distinct(worst.found, worst.right);
  const named =
    `The audit names ${spoken(quantity)} first, at step ${spelled(first)}: ` +
    `${spoken(quantity)}${worst.index} is ${found}; right is ${expected}.`;
  if (!right) return `${named} ${end}`;
  const good = `Without the mistake, it is ${compact(right.at(-1).loss)}.`;
  return [named, spreadFrom(first, steps, right), end, good].join(" ");
}

function show(steps, right, lines) {
  const found = byFailure(lines);
  const failure = found[0].first === null ? null : found[0];
  const words = outcome(failure, steps, right);
  const hidden = " The two coincide, so the solid line covers the dashed one.";
  const curves = right
    ? `Solid: with the mistake. Dashed: without it.${coincide(steps, right) ? hidden : ""}`
    : "";
  drawAudit(found);
  if (right) drawSpreading(steps, right, failure);
  byId("spread").hidden = !right;
  byId("spreading").setAttribute("aria-label", `How far from a right run: ${words}`);
  byId("live-caption").textContent = curves;
  byId("live").setAttribute("aria-label", `Loss by step. ${words}`);
  byId("outcome").textContent = words;
  byId("outcome").dataset.named = failure?.quantity ?? "";
}

/** Train what the form says, audit it, and show what came of it. */
async function experiment() {
  turn++;
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
  const right = name ? [...train(problem)] : null;
  const curve = (steps, style) => ({ losses: steps.map((s) => s.loss), style });
  const reference = right ? [curve(right, "reference")] : [];
  byId("outcome").textContent = "Training…";
  const steps = await collect(
    name ? trainWith(MISTAKES[name], problem) : train(problem),
    (made) => drawLosses([...reference, curve(made, name ? "s1" : "s0")], problem.steps),
  );
  if (!steps) return;
  show(steps, right, audit(problem, steps));
  const isTheirs = FIELDS.every((id) => id === "mistake" || isOriginal(id));
  trained = { problem, steps, about: isTheirs ? data.about : "changed in the page" };
  byId("save").disabled = false;
  byId("outcome").dataset.done = "yes";
}

async function save() {
  const { problem, steps, about } = trained;
  const url = URL.createObjectURL(await safetensors(problem, steps, about));
  create("a", { href: url, download: "javascript.safetensors" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Show the sentence of the mistake, and the table that the labels are. */
function describe() {
  const chosen = planted.find(({ name }) => name === byId("mistake").value);
  byId("sentence").textContent = chosen?.sentence ?? "";
  const changes = chosen ? changesOf(MISTAKES[chosen.name], statements) : [];
  const lines = changes.flatMap(([right, wrong]) => [
    create("del", {}, `- ${right}`),
    create("ins", {}, `+ ${wrong}`),
  ]);
  byId("change").hidden = !chosen;
  byId("change").replaceChildren(...lines);
  const isTable = ([, labels]) => labels.join(" ") === byId("labels").value;
  const table = Object.entries(data.tables).find(isTable);
  if (byId("table")) byId("table").value = table?.[0] ?? "";
}

function changed() {
  describe();
  keep();
  experiment();
}

function start() {
  const option = (name) => create("option", { value: name }, name);
  byId("offered").textContent =
    `${planted.length} of the ${data.faults} mistakes of “gradparity faults” are here`;
  byId("mistake").append(...planted.map(({ name }) => option(name)));
  byId("table")?.append(...Object.keys(data.tables).map(option));
  byId("table")?.addEventListener("change", ({ target }) => {
    const labels = data.tables[target.value] ?? data.problem.y.flat();
    byId("labels").value = labels.join(" ");
    changed();
  });
  byId("mistake").addEventListener("change", changed);
  byId("laboratory").addEventListener("submit", (event) => {
    event.preventDefault();
    changed();
  });
  byId("reset").addEventListener("click", () => {
    fill(() => null);
    changed();
  });
  byId("save").addEventListener("click", save);
  whenLinked(() => {
    fill(recall);
    describe();
    experiment();
  });
}

if (data.problem) start();
