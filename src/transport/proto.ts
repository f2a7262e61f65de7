import { fileURLToPath } from "node:url";
import { loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { ProtoGrpcType as HopProto } from "./generated/hop.js";
import type { ProtoGrpcType as NodeProto } from "./generated/node.js";
import type { ProtoGrpcType as TrustProto } from "./generated/trust.js";

/** The package's `proto/`, from `dist/src/transport/`. */
const PROTO_DIRECTORY = fileURLToPath(new URL("../../../proto/", import.meta.url));

/** The same options as the `build:proto` script, which makes the types. */
const definition = loadSync(["exo/v1/node.proto", "exo/v1/hop.proto", "exo/v1/trust.proto"], {
  includeDirs: [PROTO_DIRECTORY],
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
});

const proto = loadPackageDefinition(definition) as unknown as NodeProto & HopProto & TrustProto;

export const nodeService = proto.exo.v1.Node.service;
export const NodeStub = proto.exo.v1.Node;

export const trustService = proto.exo.v1.Trust.service;
export const TrustStub = proto.exo.v1.Trust;
export const joinService = proto.exo.v1.Join.service;
export const JoinStub = proto.exo.v1.Join;

const hopStream = proto.exo.v1.Hop.service.Stream;

/** `Hop.Stream` with its messages as they are on the wire: `hop-envelope.ts` reads and writes them in place. */
export const hopStreamMethod = {
  ...hopStream,
  requestSerialize: (message: Buffer): Buffer => message,
  requestDeserialize: (message: Buffer): Buffer => message,
};
