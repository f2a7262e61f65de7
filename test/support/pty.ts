import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { stripVTControlCharacters } from "node:util";

/** Runs a command on a pseudo-terminal of a given size, between this program's own input and output. */
const PTY = `
import fcntl, os, pty, select, struct, sys, termios
rows, columns = int(sys.argv[1]), int(sys.argv[2])
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execvp(sys.argv[3], sys.argv[3:])
inputs = [0, fd]
while True:
    ready, _, _ = select.select(inputs, [], [])
    if 0 in ready:
        typed = os.read(0, 65536)
        if typed: os.write(fd, typed)
        else: inputs.remove(0)
    if fd in ready:
        try: shown = os.read(fd, 65536)
        except OSError: break
        if not shown: break
        os.write(1, shown)
_, status = os.waitpid(pid, 0)
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
`;

/** Why there is no pseudo-terminal here, or `false`. */
export const noPty: string | false =
  spawnSync("python3", ["-c", "import pty, termios"]).status === 0 ? false : "there is no python3 with pty here";

export interface PtyOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly rows?: number;
  readonly columns?: number;
}

/** A command of this program with a terminal of its own: what a person sees and types. */
export class Pty {
  readonly #child: ChildProcess;
  readonly #exited: Promise<readonly unknown[]>;
  /** Everything that was shown, escape sequences included. */
  raw = "";
  /** As far as it has been looked at. */
  #seen = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, "close");
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.raw += text;
      child.emit("shown");
    });
  }

  static start(command: readonly string[], { env, rows = 30, columns = 100 }: PtyOptions): Pty {
    const args = ["-c", PTY, String(rows), String(columns), ...command];
    return new Pty(spawn("python3", args, { env: { ...env }, stdio: ["pipe", "pipe", "inherit"] }));
  }

  /** What was shown, as text. */
  get text(): string {
    return stripVTControlCharacters(this.raw);
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Waits until this is shown below what was waited for before; returns what came until then. */
  async shows(wanted: string): Promise<string> {
    for (;;) {
      const at = this.text.indexOf(wanted, this.#seen);
      if (at >= 0) {
        const before = this.text.slice(this.#seen, at);
        this.#seen = at + wanted.length;
        return before;
      }
      if (this.#child.exitCode !== null) throw new Error(`It ended without showing ${wanted}:\n${this.text}`);
      await Promise.race([once(this.#child, "shown"), this.#exited]);
    }
  }

  /** The exit code. */
  async ended(): Promise<number | null> {
    await this.#exited;
    return this.#child.exitCode;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
