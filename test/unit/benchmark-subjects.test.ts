import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CODE_SNIPPETS } from "../../benchmarks/code-snippets.js";
import {
  CONTINUATION_KINDS,
  type ContinuationKind,
  Continuations,
  continuationPrompt,
} from "../../benchmarks/continuations.js";
import {
  clientRemark,
  coreOf,
  oneOfEachCore,
  parseProcessorList,
  pinned,
  spareCores,
} from "../../benchmarks/host/pinning.js";
import { Prompts, storyText } from "../../benchmarks/prompts.js";
import { ask, askStreaming } from "../../benchmarks/subjects/asking.js";
import { killNode } from "../../benchmarks/subjects/killed-node.js";
import { parseResidentPages, residentPagesOf } from "../../benchmarks/subjects/resident-pages.js";
import { weightFigures } from "../../benchmarks/subjects/stage-weights.js";

const SMAPS = `7f00-7f10 r--s 00000000 fe:00 12345                      /models/a model.gguf
Size:               1024 kB
Rss:                 100 kB
Pss:                  50 kB
7f10-7f20 r--s 00100000 fe:00 12345                      /models/a model.gguf
Rss:                  20 kB
7f20-7f30 rw-p 00000000 00:00 0 
Rss:                4096 kB
7f30-7f40 r--p 00000000 fe:00 777                        /usr/lib/libc.so
Rss:                 800 kB
`;

describe("what the benchmark asks its subjects", () => {
  test("resident pages are those of the model's own mappings", () => {
    assert.equal(parseResidentPages(SMAPS, "/models/a model.gguf"), 120 * 1024);
    assert.equal(parseResidentPages(SMAPS, "/models/other.gguf"), 0);
    assert.equal(parseResidentPages("", "/models/other.gguf"), 0);
  });

  test("prompts have the length that was asked for, and begin differently each time", () => {
    const prompts = new Prompts(Array.from({ length: 1000 }, (_, index) => index));
    const taken = Array.from({ length: 9 }, () => prompts.take(1500));
    assert.ok(taken.every((prompt) => prompt.length === 1500));
    assert.equal(new Set(taken.map(([first]) => first)).size, taken.length);
  });
});

describe("texts to go on with", () => {
  const take = (kind: ContinuationKind, count: number) =>
    Promise.all(Array.from({ length: count }, (_, round) => continuationPrompt(kind, round)));

  test("are others in each round of a whole run, and the same for each ring", async () => {
    for (const kind of CONTINUATION_KINDS) {
      const texts = await take(kind, 6);
      assert.equal(new Set(texts).size, texts.length, kind);
      const ring = new Continuations();
      assert.deepEqual([await ring.take(kind), await ring.take(kind)], texts.slice(0, 2));
    }
  });

  test("the repeating prompt ends where its own text begins again", async () => {
    const [story, repeating, other] = [await storyText(), await take("repeating", 3), await take("other", 3)];
    for (const [round, text] of repeating.entries()) {
      const first = other[round] ?? "";
      assert.ok(story.includes(first) && text.startsWith(first));
      const opening = text.slice(text.lastIndexOf("\n\n") + 2);
      assert.ok(opening.length > 15 && first.startsWith(opening), opening);
    }
  });

  test("code begins again under its new name", async () => {
    for (const [round, { code, name, newName }] of CODE_SNIPPETS.entries()) {
      assert.ok(code.split(name).length >= 3 && !code.includes(newName), name);
      const lines = (await continuationPrompt("code", round)).trimEnd().split("\n");
      assert.equal(lines.at(-1), code.split("\n")[0]?.replaceAll(name, newName));
    }
  });
});

const timings = (prompt_n: number, predicted_n: number) => ({ prompt_n, prompt_ms: 1, predicted_n, predicted_ms: 1 });

/** A ring whose every answer has these timings. */
const answering = (prompt_n: number, predicted_n: number) => ({
  client: {
    complete: async () => ({ ...timings(prompt_n, predicted_n), accepted: 0, rejected: 0 }),
    stream: async () => ({ firstAfter: 1, gaps: [], timings: timings(prompt_n, predicted_n) }),
  },
});

describe("asking a ring", () => {
  const prompt = [1, 2, 3, 4];

  test("refuses timings of other counts than were asked for", async () => {
    await ask(answering(4, 8), { prompt, tokens: 8 });
    await ask(answering(9, 8), { prompt: "some text", tokens: 8 });
    await assert.rejects(ask(answering(4, 7), { prompt, tokens: 8 }), /answered 7 tokens where 8 are counted/);
    await assert.rejects(ask(answering(3, 8), { prompt, tokens: 8 }), /computed 3 tokens of the prompt where 4/);
    await assert.rejects(askStreaming(answering(4, 7), { prompt, tokens: 8 }), /answered 7 tokens/);
  });

  test("knows what the cache must have held", async () => {
    await ask(answering(1, 8), { prompt, tokens: 8, cached: 3 });
    await assert.rejects(
      ask(answering(4, 8), { prompt, tokens: 8, cached: 3 }),
      /computed 4 tokens of the prompt where 1/,
    );
  });
});

describe("weights against the plan", () => {
  const stage = (node_id: string, weights: number, planned_weights: number) => ({
    node_id,
    memory: { weights },
    planned_weights,
  });
  const stages = [stage("b", 100, 100), stage("a", 210, 200)];

  test("pages are those of the stage's own node, in whatever order the processes are", () => {
    const pages = new Map([
      ["a", 200],
      ["b", 110],
    ]);
    assert.deepEqual(weightFigures(stages, pages), { weights_over_plan: 1.05, file_pages_over_plan: 1.1 });
  });

  test("a node whose pages are not known leaves that figure out", () => {
    assert.deepEqual(
      weightFigures(
        stages,
        new Map([
          ["a", 200],
          ["b", null],
        ]),
      ),
      { weights_over_plan: 1.05 },
    );
    assert.deepEqual(weightFigures(stages, new Map([["a", 200]])), { weights_over_plan: 1.05 });
  });

  test("nothing mapped is not known", async () => {
    assert.equal(await residentPagesOf(import.meta.filename, process.pid), null);
  });
});

describe("killing a node", () => {
  /** A ring whose stream says so many pieces and then ends; its state is read with each look. */
  const ring = (pieces: number, ending: "whole" | "failed", state: string) => {
    let killed = 0;
    return {
      killed: () => killed,
      client: {
        cluster: async () => ({ node: { id: "a" }, nodes: [], rings: [{ state, hops: null, stages: [] }] }),
        stream: async (_: object, onText: () => void) => {
          for (let piece = 0; piece < pieces; piece += 1) onText();
          if (ending === "failed") throw new Error("the stream failed");
          return { gaps: [] };
        },
      },
      lastStage: async () => ({
        kill: async () => {
          killed += 1;
        },
      }),
    };
  };

  test("the loss is known when the ring is not ready, or when the answer has failed", async () => {
    for (const one of [ring(9, "failed", "ready"), ring(9, "whole", "loading")]) {
      const { detected_after } = await killNode(one, {});
      assert.ok(detected_after !== undefined && detected_after >= 0);
      assert.equal(one.killed(), 1);
    }
  });

  test("an answer that ends as if nothing had been is no loss that is known", async () => {
    await assert.rejects(killNode(ring(9, "whole", "ready"), {}), /went on to its end/);
    await assert.rejects(killNode(ring(2, "whole", "ready"), {}), /ended before the node was killed/);
  });
});

describe("where nodes are kept", () => {
  test("each has a physical core of its own, and too many share in turn", () => {
    const siblings = (processor: number) => [processor % 4, (processor % 4) + 4];
    const cores = oneOfEachCore([1, 2, 3, 5, 6], siblings);
    assert.deepEqual(cores, [1, 2, 3]);
    const pinning = { possible: true, processors: cores, cores };
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => coreOf(index, pinning)),
      [[1], [2], [3], [1]],
    );
    assert.deepEqual(pinned(pinning, cores), ["taskset", "--cpu-list", "1,2,3"]);
  });

  test("whoever asks has the cores that are left, or it is said that none are", () => {
    const pinning = { possible: true, processors: [0, 1, 2, 3, 4, 5], cores: [0, 2, 4] };
    assert.deepEqual(spareCores(2, pinning), [4]);
    assert.deepEqual(clientRemark(2, pinning), {});
    assert.deepEqual(clientRemark(3, pinning), { client: "on the same cores" });
    assert.deepEqual(clientRemark(3, { ...pinning, possible: false }), {});
  });

  test("where the system does not tell of siblings, every processor counts", () => {
    assert.deepEqual(
      oneOfEachCore([0, 1, 2], () => []),
      [0, 1, 2],
    );
  });

  test("without taskset nothing is pinned", () => {
    assert.deepEqual(pinned({ possible: false, processors: [0], cores: [0] }, [0]), []);
  });

  test("Linux's lists of processors are read", () => {
    assert.deepEqual(parseProcessorList("0-3,8,10-11\n"), [0, 1, 2, 3, 8, 10, 11]);
    assert.deepEqual(parseProcessorList("7"), [7]);
    assert.deepEqual(parseProcessorList(""), []);
  });
});
