// Runs a module for Python: a line of JSON in, a line out. Started by kelly_chroma_key.node.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const { model, reset, step } = await import(pathToFileURL(process.argv[2]));
answer({ inputs: model.inputs, outputs: model.outputs, memory: reset().map((part) => part.length) });

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const memory = asked.memory.map((part) => Float32Array.from(part));
  const outputs = asked.frames.map((frame) => Array.from(step(frame, memory)));
  answer({ outputs, memory: memory.map((part) => Array.from(part)) });
}
