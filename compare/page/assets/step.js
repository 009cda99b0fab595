import {
  byId,
  compact,
  data,
  numberAt,
  placeOf,
  quantity,
  sampleName,
  writeMarked,
} from "./numbers.js";
import { recall, remember, whenLinked } from "./state.js";

/** One step: the slider, the four phases, the sample, and what lights up together. */

const PHASES = ["forward", "loss", "backward", "update"];
export const shown = { row: data.row, phase: data.phase, sample: data.sample };
const CHOOSE_A_FACTOR = byId("factor")?.textContent;
const listeners = [];
/** Call a function when another step, phase or sample is shown. */
export const whenShown = (redraw) => listeners.push(redraw);

/** Return an element of a quantity, of the first run in the step that is shown. */
export function element(name, index) {
  if (name === "x" || name === "y") return data.problem[name][index[0]][index[1]];
  return numberAt(0, shown.row, placeOf(quantity[name], index));
}

function drawPicture() {
  for (const text of document.querySelectorAll("[data-value]")) {
    const at = text.dataset.at.replace("s", shown.sample);
    const index = at === "" ? [] : at.split(",").map(Number);
    text.textContent = compact(element(text.dataset.value, index));
  }
  const x = data.problem.x.map((row) => row[shown.sample]);
  if (byId("sample-name")) byId("sample-name").textContent = sampleName(x); // in a picture
}

function drawTable() {
  for (const row of document.querySelectorAll("#numbers [data-place]")) {
    const place = Number(row.dataset.place);
    const exact = data.exact[shown.row][place];
    const cells = [...row.querySelectorAll("td")];
    cells.pop().textContent = exact || "–";
    cells.forEach((cell, run) => {
      const missing = data.runs[run].missing.includes(row.parentNode.dataset.q);
      if (missing) cell.textContent = "–";
      else writeMarked(cell, numberAt(run, shown.row, place), exact);
    });
  }
}

function drawPhase() {
  const reached = PHASES.indexOf(shown.phase);
  for (const part of document.querySelectorAll("#step [data-phase]"))
    part.classList.toggle("later", PHASES.indexOf(part.dataset.phase) > reached);
  for (const button of document.querySelectorAll("[data-phase-button]"))
    button.setAttribute("aria-pressed", button.dataset.phaseButton === shown.phase);
}

function draw() {
  const step = data.steps[shown.row].toLocaleString("en");
  const reason = data.reasons[shown.row];
  byId("slider").value = shown.row;
  const words = reason ? `step ${step}: ${reason}` : `step ${step}`;
  byId("slider").setAttribute("aria-valuetext", words);
  byId("step-number").textContent = step;
  byId("step-reason").textContent = reason;
  byId("sample").value = shown.sample;
  for (const part of document.querySelectorAll("[data-step-number]"))
    part.textContent = step;
  drawPicture();
  drawTable();
  drawPhase();
  listeners.forEach((redraw) => redraw());
}

function choose(changes) {
  Object.assign(shown, changes);
  draw();
  remember({
    step: shown.row === data.row ? null : data.steps[shown.row],
    phase: shown.phase === data.phase ? null : shown.phase,
    sample: shown.sample === data.sample ? null : shown.sample,
  });
}

/** Show a sample in the backward pass, so that its gradients are in the picture. */
export function showBackward(sample) {
  const isBefore = PHASES.indexOf(shown.phase) < PHASES.indexOf("backward");
  if (sample === shown.sample && !isBefore) return;
  choose({ sample, phase: isBefore ? "backward" : shown.phase });
}

/**
 * Light up quantities, and of them an element, in the picture, equations, numbers, code.
 *
 * What was lit before goes out; the note says what is lit now, if it is a factor.
 */
export function light(quantities, elementName, note = CHOOSE_A_FACTOR) {
  const all = (selector) => [...byId("step").querySelectorAll(selector)];
  for (const part of all(".lit, .exactly")) part.classList.remove("lit", "exactly");
  for (const name of quantities)
    for (const part of all(`[data-q~="${name}"]`)) part.classList.add("lit");
  if (elementName)
    for (const part of all(`[data-e="${elementName}"]`)) part.classList.add("exactly");
  byId("factor").textContent = note;
}

/** Bring what is lit into view inside each box that scrolls, but never move the page. */
function reveal(source) {
  for (const box of document.querySelectorAll("#step .tall, #step .sources")) {
    const precise = box.querySelector(".lit.exactly, .lit .exactly");
    const lit = precise ?? box.querySelector(".lit");
    if (!lit || box.contains(source)) continue;
    const [inner, outer] = [lit.getBoundingClientRect(), box.getBoundingClientRect()];
    box.scrollTop += inner.top - outer.top - outer.height / 3;
  }
}

function lightFrom(event) {
  const source = event.target.closest?.("[data-q]");
  if (!source) return;
  const precise = event.target.closest("[data-e]");
  light(source.dataset.q.split(" "), precise?.dataset.e);
  reveal(source);
}

/** Find the row of the shown step that is nearest to a step; NaN is the first. */
function nearest(step) {
  const distances = data.steps.map((shownStep) => Math.abs(shownStep - step));
  return Math.max(distances.indexOf(Math.min(...distances)), 0);
}

function start() {
  const source = byId("function-differentiate");
  const head = 34; // pixels, which stay in view
  if (source) source.closest(".sources").scrollTop = source.offsetTop - head;
  byId("slider").addEventListener("input", ({ target }) =>
    choose({ row: Number(target.value) }),
  );
  byId("sample").addEventListener("change", ({ target }) =>
    choose({ sample: Number(target.value) }),
  );
  for (const button of document.querySelectorAll("[data-phase-button]"))
    button.addEventListener("click", () => choose({ phase: button.dataset.phaseButton }));
  byId("step").addEventListener("pointerover", lightFrom);
  byId("step").addEventListener("focusin", lightFrom);
  whenLinked(() => {
    const step = recall("step");
    const sample = recall("sample") ?? data.sample;
    Object.assign(shown, {
      row: step === null ? data.row : nearest(Number(step)),
      phase: PHASES.includes(recall("phase")) ? recall("phase") : data.phase,
      sample: byId("sample").options[sample] ? Number(sample) : data.sample,
    });
    draw();
  });
}

export const hasSteps = data.steps.length > 0;
if (hasSteps) start();
