import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { changeKeyFile, keyFilePath } from "../../src/config/keys/key-file.js";
import { newKey } from "../../src/config/keys/stored-key.js";
import { NodeProcess } from "../support/node-process.js";
import { residentBytes } from "../support/ring-load.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

const clusterSchema = z.object({
  rings: z.array(z.object({ busy_slots: z.int(), waiting_requests: z.int() })),
});

/** What a node holds at a moment. */
export interface Held {
  readonly busySlots: number;
  readonly waiting: number;
  /** Open files and sockets, bytes of memory; `null` where the system does not tell. */
  readonly files: number | null;
  readonly bytes: number | null;
}

/** A node with a tiny model, and a key for each of so many clients. */
export class LoadedNode {
  readonly node: NodeProcess;
  readonly keys: readonly string[];
  readonly #remove: () => Promise<void>;

  private constructor(node: NodeProcess, keys: readonly string[], remove: () => Promise<void>) {
    this.node = node;
    this.keys = keys;
    this.#remove = remove;
  }

  static async start(clients: number, args: readonly string[]): Promise<LoadedNode> {
    const home = await mkdtemp(join(tmpdir(), "exo-native-load-"));
    const model = writeTinyModel({ plainText: true });
    const made = Array.from({ length: clients + 1 }, (_, index) =>
      newKey({ name: `client ${index}`, scopes: ["infer", "read"], created: Date.now(), expires: null }),
    );
    await changeKeyFile(keyFilePath(join(home, "config")), () => made.map(({ stored }) => stored));
    const node = await NodeProcess.start({ name: "loaded", home, args: [model.path, ...args] });
    const remove = async (): Promise<void> => {
      await node.stop();
      model.remove();
      await rm(home, { recursive: true, force: true });
    };
    return new LoadedNode(
      await node.ready(),
      made.map(({ secret }) => secret),
      remove,
    );
  }

  async held(): Promise<Held> {
    const headers = { authorization: `Bearer ${this.keys.at(-1)}` };
    const response = await fetch(`${this.node.http}/cluster`, { headers });
    const [ring] = clusterSchema.parse(await response.json()).rings;
    const files = await readdir(`/proc/${this.node.pid}/fd`).catch(() => null);
    return {
      busySlots: ring?.busy_slots ?? 0,
      waiting: ring?.waiting_requests ?? 0,
      files: files?.length ?? null,
      bytes: await residentBytes(this.node),
    };
  }

  stop(): Promise<void> {
    return this.#remove();
  }
}
