import type { Config } from "../../config/config.js";
import { EXIT } from "../failure.js";
import { NodeClient } from "../node-client/node-client.js";
import { startNodeOn } from "../started-node.js";
import { StopRequest } from "../stop-request.js";
import type { CliIo } from "../terminal/cli-io.js";
import { StatusScreen } from "../terminal/status-screen.js";
import type { ChatService } from "./chat-service.js";

/** A node in this process that serves the configured model to this process. Resolves when it is ready. */
export async function startEmbedded(config: Config, io: CliIo): Promise<ChatService> {
  const screen = new StatusScreen(io.stderr, io.now);
  const stop = new StopRequest(process, io.now, () => process.exit(EXIT.failed));
  const { node } = await startNodeOn(screen, config, io);
  try {
    const model = await node.whenReady(stop.signal);
    screen.clear();
    return { client: new NodeClient(new URL(node.httpUrl), null), model, stop: () => node.stop() };
  } catch (thrown) {
    screen.clear();
    await node.stop();
    throw thrown;
  } finally {
    stop.release();
  }
}
