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

  test("a download is a line per tenth where there is no terminal", () => {
    const output = new CapturedOutput();
    const display = new DownloadDisplay(new StatusScreen(output, () => 0), plainPaint, "tiny");
    for (let received = 0; received <= 100; received += 1) {
      display.update({ phase: "downloading", received, total: 100, bytesPerSecond: 10 });
    }
    display.finish();
    const lines = output.text.trimEnd().split("\n");
    assert.equal(lines.length, 11);
    assert.equal(lines[5], "fetching tiny: 50 %  50 B of 100 B  10 B/s  0:05 left");
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
      "a [0, 11) loading 60 %",
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
