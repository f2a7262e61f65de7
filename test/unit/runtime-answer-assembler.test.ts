import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { ParsedAnswer, ToolCall } from "../../src/native/chat.js";
import type { Sample } from "../../src/native/stage.js";
import { AnswerAssembler, type AnswerParser, type DeltaEvent } from "../../src/runtime/answer-assembler.js";
import { ToolCallStream } from "../../src/runtime/tool-call-stream.js";

const encoder = new TextEncoder();

/** Each piece of text is a token. */
function assembler(pieces: readonly string[], stops: readonly string[], parser: AnswerParser | null = null) {
  const answer = new AnswerAssembler({
    tokenizer: { decodeBytes: ([token = 0]) => encoder.encode(pieces[token] ?? "") },
    stops,
    preservedTokens: new Set(),
    parser,
    withLogprobs: true,
  });
  const push = (token: number): DeltaEvent | null => answer.push(sample(token));
  return { answer, push };
}

function sample(token: number): Sample {
  return { token, isEndOfGeneration: false, logprob: -1, top: [] };
}

function run(pieces: readonly string[], stops: readonly string[], parser: AnswerParser | null = null): DeltaEvent[] {
  const { answer, push } = assembler(pieces, stops, parser);
  const deltas: (DeltaEvent | null)[] = [];
  for (const token of pieces.keys()) {
    deltas.push(push(token));
    if (answer.stopped) break;
  }
  return [...deltas, answer.finish()].filter((delta) => delta !== null);
}

const tokensOf = (deltas: readonly DeltaEvent[]): number[] =>
  deltas.flatMap(({ logprobs = [] }) => logprobs.map(({ token }) => token));
const textOf = (deltas: readonly DeltaEvent[]): string => deltas.map(({ text }) => text).join("");

describe("log-probabilities", () => {
  test("come with their text, and not for a stop string", () => {
    const deltas = run(["Hel", "lo ", "EN", "D", "more"], ["END"]);
    assert.equal(textOf(deltas), "Hello ");
    assert.deepEqual(tokensOf(deltas), [0, 1]);
  });

  test("count a token that a stop string begins in, for part of it was shown", () => {
    assert.deepEqual(tokensOf(run(["Hello E", "ND"], ["END"])), [0]);
  });

  test("wait while the text may yet become a stop string, and come when it does not", () => {
    const { answer, push } = assembler(["a", "EN", "x"], ["END"]);
    assert.deepEqual(push(0)?.logprobs?.length, 1);
    assert.equal(push(1), null);
    assert.deepEqual(
      push(2)?.logprobs?.map(({ token }) => token),
      [1, 2],
    );
    assert.equal(answer.finish(), null);
  });

  test("are those of all tokens without a stop string, each once and in order", () => {
    const pieces = fc.array(fc.constantFrom("a", "E", "N", "D", "é", "", "END"), { maxLength: 12 });
    fc.assert(
      fc.property(pieces, (texts) => {
        const deltas = run(texts, []);
        assert.equal(textOf(deltas), texts.join(""));
        assert.deepEqual(tokensOf(deltas), [...texts.keys()]);
        const stopped = tokensOf(run(texts, ["END"]));
        assert.deepEqual(stopped, [...stopped.keys()]);
      }),
    );
  });
});

describe("an answer that its template takes apart", () => {
  const parser: AnswerParser = (text) => {
    const [thought = "", ...rest] = text.startsWith("<") ? text.slice(1).split(">") : ["", text];
    return { reasoning: thought, content: rest.join(">"), toolCalls: [] };
  };

  test("tells how many tokens went into reasoning", () => {
    const { answer, push } = assembler(["<", "so", " so", ">", "yes"], [], parser);
    const deltas = [0, 1, 2, 3, 4].map(push);
    assert.deepEqual(
      deltas.map((delta) => [delta?.reasoning ?? "", delta?.text ?? ""]),
      [
        ["", ""],
        ["so", ""],
        [" so", ""],
        ["", ""],
        ["", "yes"],
      ],
    );
    assert.equal(answer.reasoningTokens, 3);
  });

  test("shows once what a parser takes back and finds again", () => {
    const found = ["a", "ab", "a", "ab", "abc"];
    const fickle: AnswerParser = (text): ParsedAnswer => ({
      content: found[text.length - 1] ?? "",
      reasoning: "",
      toolCalls: [],
    });
    assert.equal(textOf(run(["1", "2", "3", "4", "5"], [], fickle)), "abc");
  });
});

/** `<thought>content`, then calls of `name(arguments)`; throws where a call has no name. */
const callsTools: AnswerParser = (text, partial) => {
  const [, thought = "", rest = text] = /^<([^>]*)>?(.*)$/s.exec(text) ?? [];
  const [content = "", ...calls] = rest.split("@");
  if (calls.some((call) => call.startsWith("("))) throw new Error("a call without a name");
  const toolCalls = calls.map((call) => {
    const [name = "", parameters = ""] = call.split("(");
    return { id: "", name, arguments: partial ? parameters : parameters.replace(/\)$/, "") };
  });
  return { reasoning: thought, content, toolCalls };
};

describe("an answer that goes on with another assembler", () => {
  /** What a reader gets where the answer breaks after the event at `breakAt`, and goes on from the tokens up to there. */
  function broken(pieces: readonly string[], stops: readonly string[], parser: AnswerParser | null, breakAt: number) {
    const first = assembler(pieces, stops, parser);
    const deltas: DeltaEvent[] = [];
    let token = 0;
    while (token < pieces.length && deltas.length <= breakAt && !first.answer.stopped) {
      const delta = first.push(token++);
      if (delta !== null) deltas.push(delta);
    }
    const second = assembler(pieces, stops, parser);
    second.answer.resume([...Array(token).keys()], first.answer.held);
    assert.equal(second.answer.reasoningTokens, first.answer.reasoningTokens);
    assert.equal(second.answer.stoppedBy, first.answer.stoppedBy);
    while (token < pieces.length && !second.answer.stopped) {
      const delta = second.push(token++);
      if (delta !== null) deltas.push(delta);
    }
    const rest = second.answer.finish();
    return { deltas: rest === null ? deltas : [...deltas, rest], reasoningTokens: second.answer.reasoningTokens };
  }

  const withoutIds = (deltas: readonly DeltaEvent[]): unknown =>
    deltas.map(({ toolCalls = [], ...delta }) => ({ ...delta, toolCalls: toolCalls.map(({ id, ...call }) => call) }));

  const pieces = fc.array(fc.constantFrom("a", "E", "N", "D", "é", "<", ">", "@", "f(", "(", ")", "", "x y"), {
    maxLength: 14,
  });

  for (const [name, parser] of [
    ["plain text", null],
    ["what a template takes apart", callsTools],
  ] as const) {
    test(`tells the rest as if nothing had happened: ${name}`, () => {
      fc.assert(
        fc.property(pieces, fc.constantFrom([], ["END"], ["END", "a"]), fc.nat(8), (texts, stops, breakAt) => {
          const whole = withoutIds(run(texts, stops, parser));
          assert.deepEqual(withoutIds(broken(texts, stops, parser, breakAt).deltas), whole);
        }),
        { numRuns: 300 },
      );
    });
  }

  test("has a stop string that began before and ends after, and tells no log-probability twice or never", () => {
    const { deltas } = broken(["Hel", "lo E", "N", "D", "more"], ["END"], null, 1);
    assert.equal(textOf(deltas), "Hello ");
    assert.deepEqual(tokensOf(deltas), [0, 1]);
  });

  test("is over at once where a stop string was completed", () => {
    const { answer } = assembler(["yes", " END"], ["END"]);
    answer.resume([0, 1], []);
    assert.equal(answer.stopped, true);
    assert.equal(answer.finish(), null);
  });
});

describe("tool calls", () => {
  const call = (name: string, text: string, id = ""): ToolCall => ({ id, name, arguments: text });

  test("are told when their name is whole, with an id, then as their arguments grow", () => {
    const calls = new ToolCallStream();
    assert.deepEqual(calls.push([call("wea", "")], true), []);
    const [first, ...others] = calls.push([call("weather", '{"ci')], true);
    assert.deepEqual(others, []);
    assert.match(first?.id ?? "", /^call_[0-9a-f]{24}$/);
    assert.deepEqual({ ...first, id: "" }, { index: 0, id: "", name: "weather", arguments: '{"ci' });
    assert.deepEqual(calls.push([call("weather", '{"city":1}')], true), [{ index: 0, arguments: 'ty":1}' }]);
    assert.deepEqual(calls.push([call("weather", '{"city":1}')], false), []);
    assert.equal(calls.count, 1);
  });

  test("without arguments are told when another follows, or the answer ends", () => {
    const calls = new ToolCallStream();
    const [first, second] = calls.push([call("one", ""), call("two", "{", "own")], true);
    assert.deepEqual([first?.name, second?.name, second?.id], ["one", "two", "own"]);
    const last = new ToolCallStream();
    assert.equal(last.push([call("one", "")], false)[0]?.name, "one");
  });

  test("put together are what was found last, however it grew", () => {
    const texts = fc.array(fc.string({ maxLength: 5 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(texts, texts, (first, second) => {
        const calls = new ToolCallStream();
        const whole = ["", ""];
        const take = (found: readonly ToolCall[], partial: boolean): void => {
          for (const { index, arguments: more = "" } of calls.push(found, partial))
            whole[index] = (whole[index] ?? "") + more;
        };
        for (const end of first.keys()) take([call("a", first.slice(0, end + 1).join(""))], true);
        for (const end of second.keys()) {
          take([call("a", first.join("")), call("b", second.slice(0, end + 1).join(""))], end < second.length - 1);
        }
        assert.deepEqual(whole, [first.join(""), second.join("")]);
      }),
    );
  });
});
