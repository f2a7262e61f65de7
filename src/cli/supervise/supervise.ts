import type { Config } from "../../config/config.js";
import { pause } from "../../core/waiting.js";
import { EndedWith, EXIT } from "../failure.js";
import { stopWithNpm } from "../npm-parent.js";
import { StopRequest } from "../stop-request.js";
import type { CliIo } from "../terminal/cli-io.js";
import { thisMachine } from "./crash-facts.js";
import { CrashStore, crashDirectory } from "./crash-store.js";
import { spawnNode } from "./node-child.js";
import { Supervisor } from "./supervisor.js";
import { voiceOf } from "./supervisor-voice.js";

/** Runs the node in a process of its own and starts it again when it crashes. Returns when it has stopped cleanly. */
export async function supervise(args: readonly string[], config: Config, io: CliIo): Promise<void> {
  const stop = new StopRequest(process, io.now, () => {
    supervisor.kill();
    process.exit(EXIT.failed);
  });
  const supervisor = new Supervisor({
    name: config.name,
    spawn: (supervision) => spawnNode({ args, env: io.env, supervision, stderr: io.stderr, now: io.now }),
    stop,
    store: new CrashStore(crashDirectory(config.paths.cacheDir)),
    machine: thisMachine,
    say: voiceOf(config, io),
    pause,
    wall: () => Date.now(),
  });
  stopWithNpm(stop, io.env, () => process.ppid);
  try {
    const code = await supervisor.run();
    if (code !== EXIT.done) throw new EndedWith(code);
  } finally {
    stop.release();
  }
}
