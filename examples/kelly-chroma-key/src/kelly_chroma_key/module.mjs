// A network trained with Kelly, frame by frame:
//
//   import { model, reset, step } from "./chromakey.mjs";
//   const memory = reset();
//   const scores = step(frame, memory);   // model.inputs numbers in, model.outputs out; memory moves on
//
// Several streams: one memory each. Arithmetic is that of doubles between weights and memory of 32 bits.

export const model = "@MODEL@";

const LAYERS = "@LAYERS@";
const WEIGHTS = decode("@WEIGHTS@");

/** Memory before the first frame. */
export function reset() {
  return LAYERS.filter((layer) => layer.kind === "gru").map((layer) => new Float32Array(layer.outputs));
}

/** Outputs for one frame; `memory` is changed in place. */
export function step(frame, memory) {
  if (frame.length !== model.inputs) {
    throw new RangeError(`a frame has ${model.inputs} numbers, this one ${frame.length}`);
  }
  let values = Float32Array.from(frame);
  let part = 0;
  for (const layer of LAYERS) {
    values = layer.kind === "gru" ? gru(layer, values, memory[part++]) : COMPUTE[layer.kind](layer, values);
  }
  return values;
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const COMPUTE = {
  dense: (layer, x) => Float32Array.from(product(x, layer.weight, layer.outputs, layer.bias)),
  scale: (layer, x) => x.map((value, at) => value * WEIGHTS[layer.by + at] + WEIGHTS[layer.shift + at]),
  tanh: (layer, x) => x.map(Math.tanh),
  relu: (layer, x) => x.map((value) => Math.max(0, value)),
  sigmoid: (layer, x) => x.map(sigmoid),
};

/** Gates z, r, n side by side; the reset gate acts after the recurrent product. */
function gru(layer, x, hidden) {
  const size = layer.outputs;
  const heard = product(x, layer.kernel, 3 * size, layer.bias);
  const recalled = product(hidden, layer.recurrent, 3 * size, layer.bias + 3 * size);
  for (let at = 0; at < size; at++) {
    const keep = sigmoid(heard[at] + recalled[at]);
    const open = sigmoid(heard[size + at] + recalled[size + at]);
    const fresh = Math.tanh(heard[2 * size + at] + open * recalled[2 * size + at]);
    hidden[at] = keep * hidden[at] + (1 - keep) * fresh;
  }
  return hidden.slice();
}

/** x times a matrix whose rows lie one after the other from `weight` on, plus a vector. */
function product(x, weight, outputs, bias) {
  const sums = Float64Array.from(WEIGHTS.subarray(bias, bias + outputs));
  for (let row = 0; row < x.length; row++) {
    const from = weight + row * outputs;
    for (let at = 0; at < outputs; at++) sums[at] += x[row] * WEIGHTS[from + at];
  }
  return sums;
}

/** Numbers of 32 bits, the least byte first, in base64. */
function decode(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, at) => view.getFloat32(4 * at, true));
}
