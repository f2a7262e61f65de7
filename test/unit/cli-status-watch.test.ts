import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { type ClusterDocument, clusterDocument } from "../../src/cli/node-client/cluster-document.js";
import { LiveScreen } from "../../src/cli/terminal/live-screen.js";
import { plainPaint } from "../../src/cli/terminal/paint.js";
import { StatusWatch } from "../../src/cli/terminal/status-watch.js";
import { ExoError } from "../../src/core/errors.js";
import { CapturedOutput } from "./cli-captured-io.js";
import { twoNodeCluster } from "./cli-sample-cluster.js";

const WHERE = "http://127.0.0.1:52415";
const CLUSTER = clusterDocument.parse(twoNodeCluster());

const unreachable = (): never => {
  throw new ExoError("peer_unreachable", "No node answers.");
};

interface Watched {
  readonly output: CapturedOutput;
  /** What was written between two looks. */
  readonly frames: readonly string[];
}

/** Lets a watch look as often as there are answers, each a second after the one before it. */
async function watched(answers: readonly (() => ClusterDocument)[], output: CapturedOutput): Promise<Watched> {
  const stop = new AbortController();
  const frames: string[] = [];
  let looks = 0;
  const watch = new StatusWatch({
    output,
    paint: plainPaint,
    where: WHERE,
    look: async () => answers[looks]?.() ?? CLUSTER,
    wait: async () => {
      frames.push(output.text);
      output.text = "";
      looks += 1;
      if (looks >= answers.length) stop.abort();
    },
    now: () => looks * 1000,
    signal: stop.signal,
  });
  await watch.run();
  return { output, frames };
}

const there = (): ClusterDocument => CLUSTER;

describe("status --watch", () => {
  test("draws over what is there, and gives the terminal back", async () => {
    const { output, frames } = await watched([there, there], new CapturedOutput(true));
    assert.ok(frames[0]?.startsWith("\u001b[?1049h\u001b[?25l"), "the other screen, without a cursor");
    assert.ok(frames[1]?.startsWith("\u001b[?2026h\u001b[H"), "from the top, all at once");
    assert.ok(!frames[1]?.includes("\u001b[2J"), "nothing is cleared before it is drawn");
    assert.match(frames[1] ?? "", /╭▶ node-a \(head\)/);
    assert.equal(output.text, "\u001b[?25h\u001b[?1049l");
  });

  test("a node that goes away leaves its last picture with its age, and comes back", async () => {
    const { frames } = await watched([there, unreachable, unreachable, there], new CapturedOutput(true));
    assert.match(frames[1] ?? "", /Lost contact with http:\/\/127\.0\.0\.1:52415: No node answers\./);
    assert.match(frames[1] ?? "", /╭▶ node-a \(head\)/);
    assert.match(frames[2] ?? "", /What follows is 1 s\b/);
    assert.doesNotMatch(frames[3] ?? "", /Lost contact/);
  });

  test("a node that is not there yet is waited for", async () => {
    const { frames } = await watched([unreachable, there], new CapturedOutput(true));
    assert.match(frames[0] ?? "", /Lost contact|No node answers/);
    assert.doesNotMatch(frames[0] ?? "", /What follows/);
    assert.match(frames[1] ?? "", /╭▶ node-a/);
  });

  test("another failure at the first look ends it, with the terminal in order", async () => {
    const output = new CapturedOutput(true);
    const refuse = (): never => {
      throw new ExoError("unauthorized", "Give a key.");
    };
    await assert.rejects(watched([refuse], output), { code: "unauthorized" });
    assert.equal(output.text, "");
    const later = await watched([there, refuse], new CapturedOutput(true));
    assert.match(later.frames[1] ?? "", /Give a key\./);
  });

  test("the end of a look that is under way is not waited for", async () => {
    const stop = new AbortController();
    const output = new CapturedOutput(true);
    const watch = new StatusWatch({
      output,
      paint: plainPaint,
      where: WHERE,
      look: () => {
        queueMicrotask(() => stop.abort());
        return new Promise(() => {});
      },
      wait: () => assert.fail("there is nothing to wait for"),
      now: () => 0,
      signal: stop.signal,
    });
    await watch.run();
    assert.equal(output.text, "");
  });

  test("a window that changes its size is drawn again at once", async () => {
    const output = new CapturedOutput(true);
    const stop = new AbortController();
    let drawn = "";
    const watch = new StatusWatch({
      output,
      paint: plainPaint,
      where: WHERE,
      look: async () => CLUSTER,
      wait: async () => {
        output.text = "";
        output.emit("resize");
        drawn = output.text;
        stop.abort();
      },
      now: () => 0,
      signal: stop.signal,
    });
    await watch.run();
    assert.match(drawn, /╭▶ node-a/);
    assert.equal(output.listenerCount("resize"), 0);
  });

  test("elsewhere than on a terminal one picture follows the other, without escape sequences", async () => {
    const { frames } = await watched([there, unreachable, unreachable, there], new CapturedOutput());
    assert.match(frames[0] ?? "", /╭▶ node-a/);
    assert.equal(frames[1], `Lost contact with ${WHERE}: No node answers.\n`);
    assert.equal(frames[2], "");
    assert.match(frames[3] ?? "", /╭▶ node-a/);
    assert.ok(!frames.join("").includes("\u001b"));
  });
});

describe("live screen", () => {
  test("never draws beyond the last row or column", () => {
    const output = Object.assign(new CapturedOutput(true, 50), { rows: 4 });
    const screen = new LiveScreen(output);
    screen.open();
    output.text = "";
    screen.draw(["x".repeat(80)], ["2", "3", "4", "5", "6"]);
    const lines = output.text.split("\n");
    assert.equal(lines.length, 4);
    assert.match(lines[0] ?? "", /x{48}…/);
    assert.match(lines[3] ?? "", /^… 3 more below/);
  });

  test("what does not fit can be scrolled to, and the head stays", () => {
    const output = Object.assign(new CapturedOutput(true, 50), { rows: 4 });
    const screen = new LiveScreen(output);
    const shownAfter = (...keys: readonly string[]): readonly string[] => {
      for (const key of keys) screen.scroll(key);
      output.text = "";
      screen.draw(["head"], ["1", "2", "3", "4", "5"]);
      return stripVTControlCharacters(output.text).split("\n");
    };
    screen.open();
    assert.deepEqual(shownAfter("up", "x"), ["head", "1", "2", "… 3 more below; ↑ and ↓ scroll"]);
    assert.deepEqual(shownAfter("down"), ["head", "2", "3", "… 2 more below; ↑ and ↓ scroll"]);
    assert.deepEqual(shownAfter("pagedown", "space"), ["head", "4", "5", "… 3 more above; ↑ and ↓ scroll"]);
    assert.deepEqual(shownAfter("k"), ["head", "3", "4", "… 1 more below; ↑ and ↓ scroll"]);
    screen.draw(["head"], ["1"]);
    assert.deepEqual(shownAfter(), ["head", "1", "2", "… 3 more below; ↑ and ↓ scroll"]);
  });

  test("a terminal without a size is taken for one of the usual size", () => {
    const output = Object.assign(new CapturedOutput(true, 0), { rows: 0 });
    const screen = new LiveScreen(output);
    screen.open();
    screen.draw(["one"], ["x".repeat(70)]);
    assert.match(output.text, /one[\s\S]*x{70}/);
  });

  test("opened and closed twice it does so once, and draws nothing when closed", () => {
    const output = new CapturedOutput(true);
    const screen = new LiveScreen(output);
    screen.draw(["early"], []);
    assert.equal(output.text, "");
    screen.open();
    const opened = output.text;
    screen.open();
    assert.equal(output.text, opened);
    screen.close();
    const closed = output.text;
    screen.close();
    screen.draw(["late"], []);
    assert.equal(output.text, closed);
  });
});
