import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type ContentBlock, type MessageEvent, wholeMessage } from "../../src/api/anthropic/message.js";
import { messageEvents } from "../../src/api/anthropic/message-events.js";
import type { ChoiceEvent } from "../../src/api/generate-choices.js";
import { answerLines, asMessage, wholeAnswer } from "../../src/api/ollama/answer-lines.js";
import type { InferenceEvent } from "../../src/core/inference.js";
import { finished, STARTED } from "../api/scripted-inference.js";

type Delta = Extract<InferenceEvent, { type: "delta" }>;

const text = fc.string({ unit: "grapheme", maxLength: 8 });

/** What a model may do in turn: think, say, call a tool; each in pieces. */
const step = fc.oneof(
  fc.array(text, { maxLength: 3 }).map((pieces) => ({ kind: "think" as const, pieces })),
  fc.array(text, { maxLength: 3 }).map((pieces) => ({ kind: "say" as const, pieces })),
  fc
    .tuple(fc.stringMatching(/^[a-z]{1,6}$/), fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), text), fc.nat(20))
    .map(([name, input, cut]) => ({ kind: "call" as const, name, input, cut })),
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

function deltasOf(steps: readonly Step[]): readonly Delta[] {
  let calls = 0;
  return steps.flatMap((one): Delta[] => {
    if (one.kind === "think") return one.pieces.map((reasoning) => ({ type: "delta", text: "", reasoning }));
    if (one.kind === "say") return one.pieces.map((piece) => ({ type: "delta", text: piece }));
    const json = JSON.stringify(one.input);
    const index = calls;
    calls += 1;
    return [
      { type: "delta", text: "", toolCalls: [{ index, id: `call_${index}`, name: one.name }] },
      { type: "delta", text: "", toolCalls: [{ index, arguments: json.slice(0, one.cut) }] },
      { type: "delta", text: "", toolCalls: [{ index, arguments: json.slice(one.cut) }] },
    ];
  });
}

async function* answering(steps: readonly Step[]): AsyncGenerator<ChoiceEvent> {
  const events: InferenceEvent[] = [STARTED, ...deltasOf(steps), finished("stop", steps.length)];
  for (const event of events) yield { choice: 0, event };
}

const saidIn = (steps: readonly Step[]): string =>
  steps.flatMap((one) => (one.kind === "say" ? one.pieces : [])).join("");
const thoughtIn = (steps: readonly Step[]): string =>
  steps.flatMap((one) => (one.kind === "think" ? one.pieces : [])).join("");
const calledIn = (steps: readonly Step[]) =>
  steps.flatMap((one) => (one.kind === "call" ? [{ name: one.name, input: one.input }] : []));

describe("an answer in the words of another API", () => {
  test("Anthropic's events open one block at a time, in order, and lose nothing", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const events: MessageEvent[] = [];
        for await (const event of messageEvents({ id: "msg-1", model: "m" }, answering(steps))) events.push(event);
        let open: number | null = null;
        let next = 0;
        for (const event of events) {
          if (event.type === "content_block_start") {
            assert.equal(open, null);
            assert.equal(event.index, next);
            open = next;
            next += 1;
          }
          if (event.type === "content_block_delta" || event.type === "content_block_stop")
            assert.equal(event.index, open);
          if (event.type === "content_block_stop") open = null;
        }
        assert.equal(open, null);
        assert.equal(events[0]?.type, "message_start");
        assert.deepEqual(
          events.slice(-2).map(({ type }) => type),
          ["message_delta", "message_stop"],
        );
      }),
    );
  });

  test("Anthropic's whole message has what was thought, said and called", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const { content } = await wholeMessage(messageEvents({ id: "msg-1", model: "m" }, answering(steps)));
        const of = (take: (block: ContentBlock) => string): string => content.map(take).join("");
        assert.equal(
          of((block) => (block.type === "text" ? block.text : "")),
          saidIn(steps),
        );
        assert.equal(
          of((block) => (block.type === "thinking" ? block.thinking : "")),
          thoughtIn(steps),
        );
        const calls = content.flatMap((block) => (block.type === "tool_use" ? [block] : []));
        assert.deepEqual(
          calls.map(({ name, input }) => ({ name, input: { ...input } })),
          calledIn(steps).map(({ name, input }) => ({ name, input: { ...input } })),
        );
        const kinds = content.map((block) => block.type);
        assert.ok(
          kinds.every((kind, at) => kind === "tool_use" || kind !== kinds[at - 1]),
          "blocks are not cut up",
        );
      }),
    );
  });

  test("Ollama's lines add up to its whole answer", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const clock = { monotonic: () => 5, wall: () => 0 };
        const context = { name: "m", shape: asMessage, clock, begun: 0 };
        const lines: ReturnType<typeof Object>[] = [];
        for await (const line of answerLines(context, answering(steps))) lines.push(line);
        const whole = Object(await wholeAnswer(context, answering(steps)));
        const all = (field: string): string => lines.map(({ message }) => message[field] ?? "").join("");
        assert.equal(all("content"), saidIn(steps));
        assert.equal(all("thinking"), thoughtIn(steps));
        assert.equal(whole.message.content, saidIn(steps));
        assert.equal(whole.message.thinking ?? "", thoughtIn(steps));
        const calls = lines.flatMap(({ message }) => message.tool_calls ?? []);
        assert.deepEqual(calls, whole.message.tool_calls ?? []);
        assert.equal(calls.length, calledIn(steps).length);
        assert.deepEqual(
          lines.map(({ done }) => done),
          lines.map((_, at) => at === lines.length - 1),
        );
        const { message: _last, ...numbers } = lines.at(-1);
        const { message: _whole, ...same } = whole;
        assert.deepEqual(numbers, same);
      }),
    );
  });
});
