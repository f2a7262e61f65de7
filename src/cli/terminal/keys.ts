import { emitKeypressEvents } from "node:readline";
import type { CliInput } from "./cli-io.js";

/** A pressed key: its name (`q`, `up`, `pagedown`, …), with `ctrl-` before it where that was held. */
export type Key = string;

/** Keys as they are pressed, without waiting for the end of a line. Returns the way to give the terminal back. */
export function listenToKeys(input: CliInput, onKey: (key: Key) => void): () => void {
  if (input.isTTY !== true) return () => {};
  const listener = (_: unknown, { name, ctrl }: { name?: string; ctrl?: boolean }): void => {
    if (name !== undefined) onKey(ctrl === true ? `ctrl-${name}` : name);
  };
  const takeKeys = (): void => void input.setRawMode?.(true);
  emitKeypressEvents(input);
  input.on("keypress", listener);
  takeKeys();
  input.resume();
  // After Ctrl-Z and fg the shell has set the terminal its own way.
  process.on("SIGCONT", takeKeys);
  return () => {
    process.off("SIGCONT", takeKeys);
    input.off("keypress", listener);
    input.setRawMode?.(false);
    input.pause();
  };
}
