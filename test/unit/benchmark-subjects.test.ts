import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { coreOf, oneOfEachCore, parseProcessorList, pinned } from "../../benchmarks/host/pinning.js";
import { continuationPrompt, Prompts, storyText } from "../../benchmarks/prompts.js";
import { parseResidentPages } from "../../benchmarks/subjects/resident-pages.js";

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

  test("the repeating prompt ends where its own text begins again", async () => {
    const [story, repeating, other] = await Promise.all([
      storyText(),
      continuationPrompt("repeating"),
      continuationPrompt("other"),
    ]);
    assert.ok(story.includes(other) && repeating.startsWith(other));
    const opening = repeating.slice(repeating.lastIndexOf("\n\n") + 2);
    assert.ok(opening.length > 20 && other.startsWith(opening));
  });
});

describe("where nodes are kept", () => {
  test("each has a physical core of its own, and too many share in turn", () => {
    const siblings = (processor: number) => [processor % 4, (processor % 4) + 4];
    const cores = oneOfEachCore([1, 2, 3, 5, 6], siblings);
    assert.deepEqual(cores, [1, 2, 3]);
    const pinning = { possible: true, cores };
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => coreOf(index, pinning)),
      [[1], [2], [3], [1]],
    );
    assert.deepEqual(pinned(pinning, cores), ["taskset", "--cpu-list", "1,2,3"]);
  });

  test("where the system does not tell of siblings, every processor counts", () => {
    assert.deepEqual(
      oneOfEachCore([0, 1, 2], () => []),
      [0, 1, 2],
    );
  });

  test("without taskset nothing is pinned", () => {
    assert.deepEqual(pinned({ possible: false, cores: [0] }, [0]), []);
  });

  test("Linux's lists of processors are read", () => {
    assert.deepEqual(parseProcessorList("0-3,8,10-11\n"), [0, 1, 2, 3, 8, 10, 11]);
    assert.deepEqual(parseProcessorList("7"), [7]);
    assert.deepEqual(parseProcessorList(""), []);
  });
});
