import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type BannerFacts, bannerText } from "../../src/cli/terminal/banner.js";
import { clipped, inColumns, packed, shortened, visibleLength, wrapped } from "../../src/cli/terminal/columns.js";
import { DownloadDisplay } from "../../src/cli/terminal/download-display.js";
import { paintFor, plainPaint } from "../../src/cli/terminal/paint.js";
import { PlacementDisplay } from "../../src/cli/terminal/placement-display.js";
import { barNumbers, clockText, drawBar } from "../../src/cli/terminal/progress-bar.js";
import { ProgressRate } from "../../src/cli/terminal/progress-rate.js";
import { StatusScreen } from "../../src/cli/terminal/status-screen.js";
import { CapturedOutput } from "./cli-captured-io.js";

const MIB = 2 ** 20;

describe("progress", () => {
  test("a bar tells per cent, bytes, rate and time left", () => {
    const state = {
      label: "fetching tinyllama",
      fraction: 0.45,
      bytes: { done: 45 * MIB, total: 100 * MIB },
      perSecond: 5 * MIB,
    };
    assert.equal(barNumbers(state).trim(), "45 %  45.0 MiB of 100.0 MiB  5.00 MiB/s  0:11 left");
    assert.equal(visibleLength(drawBar(state, 100, plainPaint)) < 100, true);
  });

  test("what is not known is left out", () => {
    const state = { label: "x", fraction: null, bytes: { done: 3, total: null }, perSecond: null };
    assert.equal(barNumbers(state), "3 B");
  });

  test("a bar never fills the last column of a terminal", () => {
    const label = fc.string({ minLength: 1, maxLength: 60, unit: "grapheme-ascii" });
    fc.assert(
      fc.property(label, fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 60, max: 200 }), (...drawn) => {
        const [text, fraction, width] = drawn;
        const line = drawBar({ label: text, fraction, perSecond: 0.1 }, width, plainPaint);
        assert.ok(line.length < width, line);
      }),
    );
  });

  test("on narrow terminals the bytes go first, then the rate, the bar and the end of the label", () => {
    const state = {
      label: "fetching tinyllama",
      fraction: 0.45,
      bytes: { done: 45 * MIB, total: 100 * MIB },
      perSecond: 5 * MIB,
    };
    const at = (width: number): string => drawBar(state, width, plainPaint).trim();
    assert.match(
      at(90),
      /^fetching tinyllama {2}█+░+ {3}45 % {2}45\.0 MiB of 100\.0 MiB {2}5\.00 MiB\/s {2}0:11 left$/,
    );
    assert.match(at(50), /^fetching tinyllama {2}█+░+ {3}45 % {2}0:11 left$/);
    assert.match(at(40), /^fetching tiny.* {2}█+░+ {3}45 % {2}0:11 left$|^fetching tiny.* {2}█+░+ {3}45 %$/);
    assert.equal(at(24), "fetching tinyl…  45 %");
    for (let width = 20; width < 120; width += 1) {
      assert.ok(visibleLength(drawBar(state, width, plainPaint)) < width, String(width));
    }
  });

  test("loading tells bytes and the time that is left, where the weights are known", () => {
    let now = 0;
    const output = new CapturedOutput(true, 100);
    const screen = new StatusScreen(output, () => now);
    const display = new PlacementDisplay({ screen, paint: plainPaint, tell: () => {}, now: () => now });
    for (now = 0; now <= 4000; now += 1000) {
      const stage = { nodeName: "a", layerBegin: 0, layerEnd: 11, phase: "load", progress: now / 10_000 };
      const stages = [{ ...stage, plannedWeights: 100 * MIB }];
      display.update({ model: "m", state: "loading", reason: null, stages });
    }
    assert.match(
      output.text,
      /a {2}\[0, 11\) {2}loading .* 40 % {2}40\.0 MiB of 100\.0 MiB {2}10\.0 MiB\/s {2}0:06 left\n$/,
    );
  });

  test("clock times", () => {
    assert.deepEqual([0, 6.2, 59.9, 61, 3723].map(clockText), ["0:00", "0:07", "1:00", "1:01", "1:02:03"]);
  });

  test("the rate is that of the last seconds, and starts anew when a count falls", () => {
    let now = 0;
    const rate = new ProgressRate(() => now);
    assert.equal(rate.update(0), null);
    now = 1000;
    assert.equal(rate.update(100), 100);
    for (now = 2000; now <= 20_000; now += 1000) rate.update(100 + (now - 1000) / 10_000);
    const recent = rate.update(102);
    assert.ok(recent !== null && recent < 1, String(recent));
    assert.equal(rate.update(5), null);
  });

  test("a download is a line now and then, more and more rarely, where there is no terminal", () => {
    const output = new CapturedOutput();
    let now = 0;
    const display = new DownloadDisplay(new StatusScreen(output, () => now), plainPaint, "tiny", () => now);
    for (let received = 0; received <= 100; received += 1) {
      now = received * 1000;
      display.update({ phase: "downloading", received, total: 100, bytesPerSecond: 1 });
    }
    display.finish();
    const percents = [...output.text.matchAll(/^fetching tiny: (\d+) %/gm)].map(([, percent]) => Number(percent));
    assert.deepEqual(percents, [0, 3, 9, 21, 45, 93, 100]);
    assert.match(output.text, /^fetching tiny: 45 % {2}45 B of 100 B {2}1 B\/s {2}0:55 left$/m);
  });

  test("of a download whose size nobody knows a line comes, too", () => {
    const output = new CapturedOutput();
    let now = 0;
    const display = new DownloadDisplay(new StatusScreen(output, () => now), plainPaint, "tiny", () => now);
    for (now = 0; now <= 10_000; now += 500) {
      display.update({ phase: "downloading", received: now, total: null, bytesPerSecond: 1 });
    }
    assert.equal(output.text.trimEnd().split("\n").length, 3);
  });

  test("placing is told of at each change and every few seconds where there is no terminal", () => {
    const told: string[] = [];
    let now = 0;
    const screen = new StatusScreen(new CapturedOutput(), () => now);
    const tell = (line: string): number => told.push(line);
    const display = new PlacementDisplay({ screen, paint: plainPaint, tell, now: () => now });
    const stage = { nodeName: "a", layerBegin: 0, layerEnd: 11, phase: "load" };
    for (now = 0; now <= 10_000; now += 100) {
      const stages = [{ ...stage, progress: now / 10_000 }];
      display.update({ model: "m", state: "loading", reason: null, stages });
    }
    const loaded = [{ ...stage, phase: "loaded", progress: 1 }];
    display.update({ model: "m", state: "ready", reason: null, stages: loaded });
    assert.deepEqual(told, [
      "m loading",
      "a [0, 11) loading",
      "a [0, 11) loading 30 %",
      "a [0, 11) loading 90 %",
      "m ready",
      "a [0, 11) loaded",
    ]);
  });
});

describe("status screen", () => {
  test("lasting lines go above the changing ones, which are drawn again", () => {
    const output = new CapturedOutput(true);
    const screen = new StatusScreen(output, () => 0);
    screen.show(["bar 1", "bar 2"]);
    output.text = "";
    screen.write("a log line\n");
    const [erased, rest] = output.text.split("a log line\n");
    assert.equal(erased, "\u001b[2A\u001b[1G\u001b[0J");
    assert.equal(rest, "bar 1\nbar 2\n");
    output.text = "";
    screen.clear();
    screen.write("done\n");
    assert.equal(output.text, "\u001b[2A\u001b[1G\u001b[0Jdone\n");
  });

  test("drawings that follow each other too fast are left out", () => {
    const output = new CapturedOutput(true);
    let now = 0;
    const screen = new StatusScreen(output, () => now);
    for (now = 0; now < 1000; now += 1) screen.show([`at ${now}`]);
    assert.equal(output.text.split("at ").length - 1 < 20, true);
  });

  test("when the terminal was made narrower, the lines that it wrapped are taken away, too", () => {
    const output = new CapturedOutput(true, 80);
    const screen = new StatusScreen(output, () => 0);
    screen.show(["x".repeat(70), "y".repeat(10)]);
    output.columns = 30;
    output.text = "";
    screen.show(["z".repeat(70)]);
    assert.ok(output.text.startsWith("\u001b[4A\u001b[1G\u001b[0J"), "three rows of the first line, one of the second");
    assert.equal(output.text.split("\n")[0]?.endsWith(`${"z".repeat(28)}…`), true);
  });

  test("nothing changes on what is not a terminal", () => {
    const output = new CapturedOutput(false);
    const screen = new StatusScreen(output, () => 0);
    screen.show(["bar"]);
    screen.print("line");
    assert.equal(output.text, "line\n");
  });
});

describe("text", () => {
  test("columns line up, whatever their colours", () => {
    const red = paintFor(new CapturedOutput(true), {})("red", "b");
    assert.deepEqual(
      inColumns(
        [
          ["a", "1"],
          [red, "22"],
        ],
        ["left", "right"],
      ),
      ["a   1", `${red}  22`],
    );
  });

  test("colours only on a terminal, and not with NO_COLOR", () => {
    assert.equal(paintFor(new CapturedOutput(false), {})("red", "x"), "x");
    assert.equal(paintFor(new CapturedOutput(true), { NO_COLOR: "1" })("red", "x"), "x");
    assert.notEqual(paintFor(new CapturedOutput(true), {})("red", "x"), "x");
    assert.equal(paintFor(new CapturedOutput(true), { TERM: "dumb" })("red", "x"), "x");
  });

  test("FORCE_COLOR asks for them anywhere, or for none; NO_COLOR wins", () => {
    const red = (tty: boolean, env: Record<string, string>): string =>
      paintFor(new CapturedOutput(tty), env)("red", "x");
    assert.notEqual(red(false, { FORCE_COLOR: "1" }), "x");
    assert.notEqual(red(false, { FORCE_COLOR: "1", NO_COLOR: "" }), "x");
    assert.equal(red(false, { FORCE_COLOR: "1", NO_COLOR: "1" }), "x");
    assert.equal(red(true, { FORCE_COLOR: "0" }), "x");
    assert.equal(red(true, { FORCE_COLOR: "false" }), "x");
  });

  test("shortening and wrapping", () => {
    assert.equal(shortened("abcdef", 4), "abc…");
    assert.deepEqual(wrapped("the quick brown fox", 10), ["the quick", "brown fox"]);
  });

  test("lines with colours are clipped by what is seen, and end in plain text", () => {
    const red = "\u001b[31m";
    assert.equal(clipped(`${red}abcdef`, 6), `${red}abcdef`);
    assert.equal(clipped(`ab${red}cdef`, 4), `ab${red}c…\u001b[0m`);
    assert.equal(clipped("abcdef", 4), "abc…");
  });

  test("facts are packed into lines, behind what comes first", () => {
    assert.deepEqual(packed(["ready", "22 layers", "2 slots"], " · ", 20, "model  "), [
      "model  ready",
      "22 layers · 2 slots",
    ]);
    assert.deepEqual(packed(["a", "b"], ", ", 4), ["a, b"]);
    assert.deepEqual(packed([], ", ", 4), []);
  });

  test("the banner says how another node joins, when one from elsewhere can", () => {
    const desk = { version: "1.0.0", name: "desk", httpUrl: "http://127.0.0.1:52415", cluster: null, announced: false };
    const banner = (facts: Partial<BannerFacts>): string =>
      bannerText({ ...desk, grpcAddress: "192.168.1.20:52416", ...facts }, plainPaint);
    assert.match(banner({ grpcAddress: "127.0.0.1:52416" }), /this machine only; --open/);
    assert.match(banner({}), /to join it {2}npx exo-native serve --open --join exo-native:\/\/192\.168\.1\.20:52416$/m);
    const announced = banner({ announced: true, cluster: "home" });
    assert.match(announced, /to join it {2}npx exo-native serve --open --cluster home$/m);
    assert.match(announced, /from afar {3}npx .* --join "exo-native:\/\/192\.168\.1\.20:52416\?cluster=home"$/m);
  });
});
