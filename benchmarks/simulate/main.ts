import type { DeviceSpec } from "./devices.js";
import { helpText, OptionError, parseOptions, type SimulateOptions } from "./options.js";
import { type Sweep, type SweepRow, sweepMarkdown, sweepTable } from "./report.js";
import { readResults } from "./results-file.js";
import { simulate } from "./scenario.js";
import { validate, validationTable } from "./validate.js";

/** Tokens before an answer that is measured alone or among others. */
const SHORT_PROMPT = 32;

async function sweep(options: SimulateOptions): Promise<Sweep> {
  const { model, devices, promptTokens, answerTokens, ubatch, streams } = options;
  const rows: SweepRow[] = [];
  for (const nodes of options.nodes) {
    for (const link of options.links) {
      const result = await simulate({
        model,
        devices: devicesFor(nodes, devices),
        link,
        streams,
        settings: { promptTokens, answerTokens, ubatch, shortPrompt: SHORT_PROMPT },
      });
      rows.push({ nodes, link: nodes === 1 ? "-" : link.name, result });
      // One node has no link, so one row says it all.
      if (nodes === 1) break;
    }
  }
  const labels = devices.map(({ label }) => label).join(" + ");
  return { model: model.label, devices: labels, promptTokens, answerTokens, ubatch, rows };
}

function devicesFor(nodes: number, devices: readonly DeviceSpec[]): readonly DeviceSpec[] {
  const [first] = devices;
  return devices.length > 1 || first === undefined ? devices : new Array<DeviceSpec>(nodes).fill(first);
}

async function main(args: readonly string[]): Promise<string> {
  const options = parseOptions(args);
  if (options.help) return helpText();
  if (options.validate.length > 0) {
    const found = [];
    for (const file of options.validate) found.push(await validate(await readResults(file)));
    return options.format === "json" ? JSON.stringify(found, null, 2) : found.map(validationTable).join("\n\n");
  }
  const result = await sweep(options);
  if (options.format === "json") return JSON.stringify(result, null, 2);
  return options.format === "markdown" ? sweepMarkdown(result) : sweepTable(result);
}

try {
  process.stdout.write(`${(await main(process.argv.slice(2))).trimEnd()}\n`);
} catch (thrown) {
  const known = thrown instanceof OptionError || thrown instanceof RangeError;
  process.stderr.write(
    `error: ${thrown instanceof Error ? (known ? thrown.message : thrown.stack) : String(thrown)}\n`,
  );
  process.exitCode = known ? 2 : 1;
}
