import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { silentLogger } from "../../src/core/ports.js";
import { type DownloadIo, systemDownloadIo } from "../../src/model/download-io.js";
import { RateLimiter } from "../../src/model/rate-limit.js";
import { BLOCK_BYTES } from "../../src/model/sparse/blocks.js";
import { BlockFill } from "../../src/model/sparse/fill-blocks.js";
import { FillPeer } from "../../src/model/sparse/fill-peer.js";
import type { HttpOrigin } from "../../src/model/sparse/http-ranges.js";
import type { RangeSource } from "../../src/model/sparse/range-source.js";
import { SparseFile, sha256 } from "../../src/model/sparse/sparse-file.js";

const BLOCKS = 6;
const BYTES = (BLOCKS - 1) * BLOCK_BYTES + 1000;
const CONTENT = Buffer.alloc(BYTES);
for (let at = 0; at < BYTES; at += 4096) CONTENT.writeUInt32LE(at / 4096 + 1, Math.min(at, BYTES - 4));
const WRONG = CONTENT.map((byte) => byte ^ 1);
const never = new AbortController().signal;

let folder = "";
let count = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "exo-fill-"));
});
after(() => rm(folder, { recursive: true, force: true }));

type Fault = "none" | "bytes" | "hashes" | "both" | "short" | "refuses";

/** A peer with some of the blocks and one way of going wrong. */
function peerOf(name: string, blocks: readonly number[], fault: Fault): FillPeer {
  const lies = fault === "both";
  const source: RangeSource = {
    name,
    offer: async () => [],
    hashes: async (_file, run) => {
      if (fault === "refuses") throw new Error("refused");
      const of = lies || fault === "hashes" ? WRONG : CONTENT;
      return Array.from({ length: run.count }, (_, index) => {
        const begin = (run.first + index) * BLOCK_BYTES;
        return sha256(of.subarray(begin, Math.min(BYTES, begin + BLOCK_BYTES)));
      });
    },
    async *fetchRange(_file, begin, end) {
      const of = lies || fault === "bytes" ? WRONG : CONTENT;
      for (let at = begin; at < end; at += 300_000) {
        if (fault === "short" && at > begin) return;
        yield of.subarray(at, Math.min(end, at + 300_000));
      }
    },
  };
  return new FillPeer(source, name, new Set(blocks));
}

/** A hub that answers ranges, and fails so often before each answer. */
function hubIo(failures: number): DownloadIo {
  let left = failures;
  return {
    ...systemDownloadIo,
    sleep: () => Promise.resolve(),
    fetch: async (_url, { headers }) => {
      const [, first = "0", last = "0"] = /bytes=(\d+)-(\d+)/.exec(headers.Range ?? "") ?? [];
      left -= 1;
      if (left >= 0) return new Response("busy", { status: 503 });
      const body = CONTENT.subarray(Number(first), Number(last) + 1);
      return new Response(body, { status: 206, headers: { "content-range": `bytes ${first}-${last}/${BYTES}` } });
    },
  };
}

const ORIGIN: HttpOrigin = {
  file: { name: "m.gguf", url: "http://hub.example/m.gguf", bytes: BYTES, sha256: null },
  headers: {},
  refusal: () => {
    throw new Error("the hub of this test refuses nothing");
  },
};

const blockSet = fc.uniqueArray(fc.integer({ min: 0, max: BLOCKS - 1 }), { minLength: 1 });
const faults: readonly Fault[] = ["none", "bytes", "hashes", "both", "short", "refuses"];
const anyPeer = fc.record({ blocks: blockSet, fault: fc.constantFrom(...faults) });

async function fill(
  peers: readonly FillPeer[],
  io: DownloadIo,
  withHub: boolean,
  wanted: readonly number[],
): Promise<Buffer> {
  count += 1;
  const path = join(folder, `${count}.gguf`);
  const file = await SparseFile.open(path, { bytes: BYTES, version: null }, io);
  const origin = withHub ? ORIGIN : null;
  const tools = { io, logger: silentLogger, limiter: new RateLimiter(null, io) };
  let kept = 0;
  const onKept = (bytes: number): void => {
    kept += bytes;
  };
  const observer = { onBytes: () => {}, onKept, onFault: () => {} };
  try {
    await new BlockFill({ file, blocks: wanted, origin, peers, signal: never, observer }, tools).run();
    assert.deepEqual(file.missing(wanted), []);
    assert.equal(kept, file.bytesHere);
  } finally {
    await file.close();
  }
  const bytes = await readFile(path);
  await rm(path);
  return bytes;
}

function assertRight(bytes: Buffer, wanted: readonly number[]): void {
  for (const block of wanted) {
    const [begin, end] = [block * BLOCK_BYTES, Math.min(BYTES, (block + 1) * BLOCK_BYTES)];
    assert.ok(bytes.subarray(begin, end).equals(CONTENT.subarray(begin, end)), `block ${block}`);
  }
}

describe("blocks from the hub and any peers", () => {
  test("are all there and right, whatever goes wrong with peers", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyPeer, { maxLength: 4 }), blockSet, fc.nat(3), async (specs, wanted, failures) => {
        const peers = specs.map(({ blocks, fault }, index) => peerOf(`p${index}`, blocks, fault));
        assertRight(await fill(peers, hubIo(failures), true, wanted), wanted);
      }),
      { numRuns: 60 },
    );
  });

  test("without a hub, from an honest peer among broken ones", async () => {
    const broken = fc.record({ blocks: blockSet, fault: fc.constantFrom<Fault>("none", "bytes", "short", "refuses") });
    await fc.assert(
      fc.asyncProperty(fc.array(broken, { maxLength: 3 }), blockSet, fc.nat(3), async (specs, wanted, place) => {
        const peers = specs.map(({ blocks, fault }, index) => peerOf(`p${index}`, blocks, fault));
        peers.splice(Math.min(place, peers.length), 0, peerOf("honest", [0, 1, 2, 3, 4, 5], "none"));
        assertRight(await fill(peers, hubIo(0), false, wanted), wanted);
      }),
      { numRuns: 40 },
    );
  });

  test("without a hub, nothing that two peers call differently", async () => {
    const peers = [peerOf("a", [0, 1], "none"), peerOf("b", [0, 1], "both")];
    await assert.rejects(fill(peers, hubIo(0), false, [0]), {
      code: "download_failed",
      message: /[ab] and [ab] have different bytes/,
    });
  });
});
