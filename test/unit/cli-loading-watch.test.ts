import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { showingLoading } from "../../src/cli/chat/loading-watch.js";
import type { ChatPiece } from "../../src/cli/node-client/chat-stream.js";
import { type ClusterDocument, clusterDocument } from "../../src/cli/node-client/cluster-document.js";
import { ExoError } from "../../src/core/errors.js";
import { capturedIo } from "./cli-captured-io.js";
import { twoNodeCluster } from "./cli-sample-cluster.js";

const READY = clusterDocument.parse(twoNodeCluster());

/** The sample's ring, halfway there. */
function loading(): ClusterDocument {
  const rings = READY.rings.map((ring) => {
    const stages = ring.stages.map((stage) => ({ ...stage, phase: "load", progress: 0.5 }));
    return { ...ring, state: "loading", stages };
  });
  return { ...READY, rings };
}

const request = { model: "tinyllama", messages: [] };
const never = new AbortController().signal;

async function all(pieces: AsyncIterable<ChatPiece>): Promise<readonly ChatPiece[]> {
  const read: ChatPiece[] = [];
  for await (const piece of pieces) read.push(piece);
  return read;
}

describe("a model that is loaded for a question", () => {
  test("shows its progress on a terminal until the answer comes", async () => {
    const io = capturedIo({ tty: true });
    const ask = showingLoading(
      async function* () {
        while (!io.stderr.text.includes("50 %")) await once(io.stderr, "shown");
        yield { type: "text", text: "Yes." };
        assert.ok(io.stderr.text.endsWith("\u001b[0J"), "the bars are gone before the answer");
      },
      { cluster: async () => loading() },
      io,
    );
    const pieces = await all(ask(request, never));
    assert.deepEqual(pieces, [{ type: "text", text: "Yes." }]);
    assert.match(stripVTControlCharacters(io.stderr.text), /tinyllama loading[\s\S]*node-a .*loading .*50 %/);
  });

  test("nothing is shown for one that is ready, for a node that cannot be asked, or without a terminal", async () => {
    const answer = async function* () {
      yield { type: "text", text: "Yes." } as const;
    };
    const gone = (): never => {
      throw new ExoError("peer_unreachable", "No node answers.");
    };
    for (const [tty, cluster] of [
      [true, async () => READY],
      [true, async () => gone()],
      [false, () => assert.fail("nobody would see it")],
    ] as const) {
      const io = capturedIo({ tty });
      const pieces = await all(showingLoading(answer, { cluster }, io)(request, never));
      assert.equal(pieces.length, 1);
      assert.equal(stripVTControlCharacters(io.stderr.text), "");
    }
  });
});
