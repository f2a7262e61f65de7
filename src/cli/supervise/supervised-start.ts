import { basename } from "node:path";
import { parseHostPort } from "../../config/address.js";
import type { Config } from "../../config/config.js";
import { refuseModels, watchStages } from "../../native/stages-in-use.js";
import type { ExoNode } from "../../node.js";
import type { SupervisedProcess } from "./supervised-process.js";

export interface SupervisedStart {
  readonly config: Config;
  /** The id that the node had before; `null`: as its configuration says. */
  readonly nodeId: string | null;
  readonly onStarted: (node: Pick<ExoNode, "id" | "httpUrl" | "grpcAddress">) => void;
}

/** How a node starts, which is as it was before when its supervisor starts it again. */
export function supervisedStart(config: Config, supervised: SupervisedProcess | undefined): SupervisedStart {
  if (supervised === undefined) return { config, nodeId: null, onStarted: () => {} };
  const { kept, refused } = supervised.facts;
  refuseModels(new Map(refused.map(({ path, crashes }) => [path, refusal(path, crashes)])));
  watchStages((stages) => void supervised.tell({ type: "stages", stages: [...stages] }));
  return {
    config: kept === null ? config : withPorts(config, kept),
    nodeId: config.grpc.port === 0 ? (kept?.nodeId ?? null) : null,
    onStarted: ({ id, httpUrl, grpcAddress }) => {
      const grpc = parseHostPort(grpcAddress, 0)?.port ?? 0;
      void supervised.tell({ type: "started", nodeId: id, http: Number(new URL(httpUrl).port), grpc });
    },
  };
}

/** Where any free port would do, those that the others know. */
function withPorts(config: Config, { http, grpc }: { readonly http: number; readonly grpc: number }): Config {
  const { http: asked, grpc: askedGrpc } = config;
  return {
    ...config,
    http: { ...asked, port: asked.port === 0 ? http : asked.port },
    grpc: { ...askedGrpc, port: askedGrpc.port === 0 ? grpc : askedGrpc.port },
  };
}

function refusal(path: string, crashes: number): string {
  return (
    `This node crashed ${crashes} times in a row with ${basename(path)}, and refuses the model until exo-native serve is ` +
    "started anew; exo-native doctor tells of the crashes."
  );
}
