/**
 * `npm run test:structured`: of the demo model, at a ring of two nodes, 100 greedy and 100 sampled answers of a JSON schema,
 * and as many tool calls. Takes minutes, so `npm test` asks only for a few of them.
 */
import { demoModel } from "../support/models.js";
import { startRing } from "../support/node-process.js";
import { structuredCases } from "./cases.js";
import { runCases } from "./run-cases.js";

/** Every second one is greedy. */
const EACH = 200;
const SLOTS = 4;

const model = await demoModel();
if (model === null) {
  console.error("The demo model is not in the cache; `npm start` fetches it.");
  process.exit(1);
}
const [head, ...others] = await startRing(2, model, ["--ctx", "1024", "--slots", String(SLOTS)]);
if (head === undefined) throw new Error("no node");
try {
  const cases = structuredCases(EACH);
  let done = 0;
  const wrong = await runCases(head.http, cases, SLOTS, () => {
    done += 1;
    if (done % 20 === 0) console.log(`${done} of ${cases.length}`);
  });
  for (const line of wrong) console.error(line);
  console.log(`${cases.length - wrong.length} of ${cases.length} answers are valid.`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  for (const node of [head, ...others]) await node.stop();
}
