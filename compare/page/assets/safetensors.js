import { asMatrix } from "./audit.js";
import { propagate } from "./network.js";

/** Traces as safetensors files; docs/traces.md describes the format. */

const OF_A_STEP = ["loss", "z1", "a1", "z2", "a2", "dz2", "dw2", "dz1", "dw1"];
const shapeOf = (matrix) => [matrix.length, matrix[0].length];
const bytesOf = (numbers) => new Uint8Array(Float64Array.from(numbers).buffer);

/** Lay out a run as tensors: name, shape and numbers, row by row. */
function tensorsOf(problem, steps) {
  const { x, y } = problem;
  const last = steps.at(-1);
  const weights = (w) => [...steps.map((s) => s[w]), last[`new_${w}`]];
  const stack = (name, matrices) => [
    name,
    [matrices.length, ...shapeOf(matrices[0])],
    matrices.flat(2),
  ];
  const one = (name, matrix) => [name, shapeOf(matrix), matrix.flat()];
  const final = propagate({ w1: last.new_w1, w2: last.new_w2 }, x);
  return [
    one("problem.x", x),
    one("problem.y", y),
    one("problem.w1", problem.w1),
    one("problem.w2", problem.w2),
    ...OF_A_STEP.map((name) => {
      const tensor = stack(name, steps.map((s) => asMatrix(s[name])));
      return name === "loss" ? ["loss", [steps.length], tensor[2]] : tensor;
    }),
    stack("w1", weights("w1")),
    stack("w2", weights("w2")),
    one("final_a2", final.a2),
  ];
}

/** Hash the bytes of the first weights, in hexadecimal digits. */
async function digest({ w1, w2 }) {
  const hash = await crypto.subtle.digest("SHA-256", bytesOf([w1, w2].flat(2)));
  return [...new Uint8Array(hash)].map((b) => b.toString(16).padStart(2, "0")).join("");
}

/** Build the file: the length of the header, the header, the numbers. */
export async function safetensors(problem, steps, about) {
  const text = {
    format: "gradparity trace 2",
    implementation: "javascript",
    loss: problem.loss,
    lr: String(problem.lr),
    steps: String(problem.steps),
    "weights sha256": await digest(problem),
    about,
    "environment: framework": "JavaScript, the page of gradparity",
    "environment: browser": navigator.userAgent.slice(0, 200),
  };
  const header = { __metadata__: text };
  const parts = [];
  let end = 0;
  for (const [name, shape, numbers] of tensorsOf(problem, steps)) {
    const begin = end;
    end += 8 * numbers.length;
    header[name] = { dtype: "F64", shape, data_offsets: [begin, end] };
    parts.push(bytesOf(numbers));
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(Math.ceil(json.length / 8) * 8).fill(32);
  padded.set(json);
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(padded.length), true);
  return new Blob([length.buffer, padded, ...parts]);
}
