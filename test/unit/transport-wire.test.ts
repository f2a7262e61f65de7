import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Metadata, status as Status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import fc from "fast-check";
import { Packr } from "msgpackr";
import { ERROR_CODES, type ErrorCode, ExoError } from "../../src/core/errors.js";
import { plaintextCredentials } from "../../src/transport/credentials.js";
import { FlightLog } from "../../src/transport/flight-log.js";
import { frameHeadRoom, largestFrameBytes } from "../../src/transport/frame.js";
import { decodeFrame } from "../../src/transport/frame-decode.js";
import { encodeFrame, encodeFrameWithoutRows } from "../../src/transport/frame-encode.js";
import { FRAME_HEADER, FRAME_HEADER_BYTES, MAX_FRAME_BYTES } from "../../src/transport/frame-layout.js";
import { ENVELOPE_BYTES, readEnvelope, writeEnvelope } from "../../src/transport/hop-envelope.js";
import { isLoopback } from "../../src/transport/loopback.js";
import { packData, unpackData } from "../../src/transport/plain-data.js";
import { fromGrpcStatus, GRPC_STATUS, toGrpcStatus } from "../../src/transport/status-table.js";

const ROOT = new URL("../../../", import.meta.url);
const PROTOCOL_DOC = readFileSync(new URL("docs/protocol.md", ROOT), "utf8");

const FIELDS = {
  epoch: 1,
  microBatch: 2,
  fromStage: 3,
  activationType: "f32",
  embeddingSize: 2048,
  rows: new Uint8Array(12),
  kvOperations: new Int32Array(0),
  computeMicroseconds: 4,
  queueMicroseconds: 5,
  stages: [{ computeMicroseconds: 4, queueMicroseconds: 5, arrivedMicroseconds: 6, leftMicroseconds: 7 }],
} as const;

/** The cells of the table rows that follow a heading of the protocol document. */
function tableUnder(heading: string): string[][] {
  const section = PROTOCOL_DOC.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`));
  assert.ok(section !== undefined, `docs/protocol.md has a section "${heading}"`);
  const rows = section.split("\n").filter((line) => /^\| [^-]/.test(line));
  return rows.slice(1).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe("frame", () => {
  test("of one decode row costs 80 bytes beside its hidden state, 16 more for each stage after the first, and 16 with what gRPC adds", () => {
    for (const count of [1, 4]) {
      const fields = { ...FIELDS, stages: Array.from({ length: count }, () => FIELDS.stages[0]) };
      const headRoom = frameHeadRoom(1, 0, count);
      const { frame, message } = encodeFrame(fields, new Uint8Array(headRoom + 8192), headRoom);
      const bytes = 8192 + 64 + 16 * count;
      assert.equal(headRoom % 64, 0);
      assert.equal(frame.byteLength, bytes);
      assert.equal(message.byteLength + 5, bytes + 16);
    }
  });

  test("has the layout that docs/protocol.md shows", () => {
    const documented = tableUnder("Header").map(([offset, type, field]) => [Number(offset), type, field]);
    const coded = Object.entries(FRAME_HEADER).map(([field, { offset, type }]) => [offset, type, `\`${field}\``]);
    assert.deepEqual(documented, coded);
    const bytes = { u8: 1, u16: 2, u32: 4 };
    let end = 0;
    for (const { offset, type } of Object.values(FRAME_HEADER)) {
      assert.equal(offset, end);
      end += bytes[type];
    }
    assert.equal(end, FRAME_HEADER_BYTES);
  });

  test("may hold nothing but KV operations, or nothing at all", () => {
    const limits = { embeddingSize: 2048, maxRows: 1, maxKvOperations: 1, maxSequences: 1, maxStages: 1 };
    const { rows: _, ...fields } = FIELDS;
    for (const kvOperations of [new Int32Array(0), Int32Array.of(0, -1, 0, 0, -1, 0)]) {
      const decoded = decodeFrame(encodeFrameWithoutRows({ ...fields, kvOperations }).frame, limits);
      assert.ok(decoded.kind === "batch");
      assert.equal(decoded.rowCount, 0);
      assert.deepEqual([...decoded.kvOperations], [...kvOperations]);
    }
  });

  test("is refused for what would not be the same on every stage", () => {
    const limits = { embeddingSize: 64, maxRows: 1, maxKvOperations: 1, maxSequences: 2, maxStages: 1 };
    const frameOf = (row: number[], kv: number[]): Uint8Array => {
      const headRoom = frameHeadRoom(1, kv.length / 6, 1);
      const rows = new Uint8Array(Int16Array.from(row).buffer);
      const fields = { ...FIELDS, embeddingSize: 64, rows, kvOperations: Int32Array.from(kv) };
      return encodeFrame(fields, new Uint8Array(headRoom + 256), headRoom).frame;
    };
    const refuses = (bytes: Uint8Array, field: string): void =>
      assert.throws(() => decodeFrame(bytes, limits), { code: "bad_frame", message: new RegExp(`its ${field} is`) });
    refuses(frameOf([2, 0, 0, 0, 0, 0], []), "row sequence");
    refuses(frameOf([0, 2, 0, 0, 0, 0], []), "row flags");
    refuses(frameOf([0, 0, 0, -1, 0, 0], []), "row position");
    refuses(frameOf([0, 0, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0]), "KV operation");
    refuses(frameOf([0, 0, 0, 0, 0, 0], [1, -1, 0, 0, 0, 0]), "KV operation's sequence");
    refuses(frameOf([0, 0, 0, 0, 0, 0], [1, 0, 2, 0, 0, 0]), "KV operation's destination");
    refuses(frameOf([0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), "kvOperationCount");
    const { rows: _, ...fields } = FIELDS;
    const twice = { ...fields, embeddingSize: 64, stages: [...fields.stages, ...fields.stages] };
    refuses(encodeFrameWithoutRows(twice).frame, "stageCount");
  });

  test("is not made in storage that does not fit", () => {
    const headRoom = frameHeadRoom(1, 0, 1);
    assert.throws(() => encodeFrame(FIELDS, new Uint8Array(headRoom + 8191), headRoom), { code: "internal" });
    assert.throws(() => encodeFrame(FIELDS, new Uint8Array(8192 + 64), 64), { code: "internal" });
  });

  test("has an upper limit for every ring", () => {
    const limits = { embeddingSize: 16_384, maxRows: 2_048, maxKvOperations: 4_096, maxSequences: 64, maxStages: 64 };
    assert.ok(largestFrameBytes(limits) <= MAX_FRAME_BYTES);
    const larger = { ...limits, maxRows: 4_096 };
    assert.throws(() => largestFrameBytes(larger), { code: "invalid_argument", message: /smaller batch/ });
  });
});

describe("hop message", () => {
  const definition = loadSync("exo/v1/hop.proto", { includeDirs: [new URL("proto/", ROOT).pathname] });
  const service = definition["exo.v1.Hop"] as unknown as {
    Stream: { requestSerialize(value: object): Buffer; requestDeserialize(bytes: Buffer): { frame: Buffer } };
  };

  test("is protobuf as any library writes and reads it, for frames of every length", () => {
    for (const length of [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
      const message = new Uint8Array(ENVELOPE_BYTES + length).fill(7);
      writeEnvelope(message);
      assert.equal(service.Stream.requestDeserialize(Buffer.from(message)).frame.byteLength, length);
      const frame = readEnvelope(message);
      assert.equal(frame.byteLength, length);
      assert.equal(frame.byteOffset, ENVELOPE_BYTES);
      const foreign = service.Stream.requestSerialize({ frame: Buffer.alloc(length, 7) });
      if (length > 0) assert.deepEqual(Buffer.from(readEnvelope(foreign)), Buffer.alloc(length, 7));
    }
  });
});

describe("status table", () => {
  test("is the one that docs/protocol.md shows, and names every error code", () => {
    const documented = tableUnder("Errors").map(([code, status]) => [code, status]);
    const coded = Object.entries(GRPC_STATUS).map(([code, status]) => [`\`${code}\``, Status[status]]);
    assert.deepEqual(documented, coded);
    assert.deepEqual(Object.keys(GRPC_STATUS), Object.keys(ERROR_CODES));
  });

  test("brings every error through, whatever its text", () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      for (const retryable of [true, false]) {
        const error = new ExoError(code, `100 % "später" 🦊 \ud800.`, { retryable, param: "layers" });
        const back = fromGrpcStatus(toGrpcStatus(error), "the peer");
        assert.equal(back.code, code);
        assert.equal(back.retryable, retryable);
        assert.equal(back.param, "layers");
        assert.equal(back.message, `100 % "später" 🦊 \ufffd.`);
      }
    }
  });

  test("cuts a message that would not fit a header", () => {
    assert.equal(toGrpcStatus(new ExoError("internal", "x".repeat(100_000))).details.length, 4_000);
  });

  test("gives failures of gRPC itself a sentence with the peer's name", () => {
    const metadata = new Metadata();
    const details =
      "No connection established. Last error: connect ECONNREFUSED 127.0.0.1:9 (2026-01-01T00:00:00.000Z). Resolution note: ";
    const error = fromGrpcStatus({ code: Status.UNAVAILABLE, details, metadata }, "The node at a:9");
    assert.equal(error.code, "peer_unreachable");
    assert.match(error.message, /^The node at a:9 cannot be reached \(connect ECONNREFUSED 127\.0\.0\.1:9\); check/);
    for (const code of [Status.CANCELLED, Status.UNIMPLEMENTED, Status.DEADLINE_EXCEEDED, Status.DATA_LOSS]) {
      assert.match(fromGrpcStatus({ code, details: "x", metadata }, "The peer").message, /^the peer .+[.?x]$/i);
    }
  });
});

describe("frames under way", () => {
  test("are counted and never acknowledged twice", () => {
    const log = new FlightLog();
    for (let index = 0; index < 3; index += 1) log.sent(100, index * 10);
    assert.equal(log.oldestSentAt, 0);
    assert.equal(log.taken(2), true);
    assert.deepEqual([log.inFlight, log.oldestSentAt, log.framesSent, log.bytesSent], [1, 20, 3, 300]);
    assert.equal(log.taken(1), false);
    assert.equal(log.taken(4), false);
    assert.equal(log.taken(3), true);
    assert.deepEqual([log.inFlight, log.oldestSentAt], [0, null]);
  });
});

/** What plain data is made of, as far as both ends of a hop read it alike. */
const plainValues = [
  fc.string(),
  fc.integer(),
  fc.double({ noNaN: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
  fc.boolean(),
  fc.constant(null),
];

/** The API takes no `__proto__`, and the reader renames it. */
const plainKey = fc.string().filter((key) => key !== "__proto__");

describe("plain data", () => {
  test("travels as it is, numbers that are not finite too", () => {
    fc.assert(
      fc.property(fc.object({ maxDepth: 4, values: plainValues, key: plainKey }), (value) => {
        assert.deepEqual(unpackData(packData(value), "It", "internal"), value);
      }),
    );
    const packed = packData({ a: 1, b: undefined, c: [1.5, "ü", null, 2 ** 40, Number.NEGATIVE_INFINITY] });
    assert.deepEqual(unpackData(packed, "It", "internal"), { a: 1, b: null, c: [1.5, "ü", null, 2 ** 40, -Infinity] });
    assert.equal(unpackData(packData(undefined), "It", "internal"), null);
  });

  test("of any other kind is refused, whatever the bytes", () => {
    const hostile = [
      new Packr({ useRecords: false, moreTypes: true }).pack({ a: /x/ }),
      new Packr({ useRecords: true }).pack({ a: 1 }),
      Buffer.from("dd ff ff ff ff".replaceAll(" ", ""), "hex"),
      Buffer.from("c1", "hex"),
      Buffer.alloc(100_000, 0x91),
      Buffer.alloc(0),
      Buffer.concat([packData(1), packData(2)]),
    ];
    for (const bytes of hostile) {
      assert.throws(() => unpackData(bytes, "It", "invalid_argument"), { name: "ExoError", code: "invalid_argument" });
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          unpackData(Buffer.from(bytes), "It", "invalid_argument");
        } catch (thrown) {
          assert.ok(thrown instanceof ExoError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("plaintext", () => {
  test("is for this machine only", () => {
    for (const host of ["127.0.0.1", "127.8.9.1", "::1", "localhost"]) {
      assert.equal(isLoopback(host), true);
      plaintextCredentials().requireAllowed(host);
    }
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "example.org", "127.0.0.1.example.org", "fe80::1"]) {
      assert.equal(isLoopback(host), false);
      assert.throws(() => plaintextCredentials().requireAllowed(host), { code: "invalid_argument" });
    }
  });
});
