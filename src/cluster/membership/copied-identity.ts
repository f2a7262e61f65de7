import { formatHostPort, type HostPort } from "../../config/address.js";

const MEND =
  "Both read one identity file, copied or shared. Give one of them a directory of its own (EXO_NATIVE_HOME), or delete machine-id in its configuration directory, and start it again.";

/** Two processes with one id, as a sentence and its remedy. `null`: it is only known that there is another one. */
export function copiedIdentity(id: string, one: string, other: string, at: HostPort | null): string {
  const second = at === null ? "another node" : `${other} at ${formatHostPort(at)}`;
  return `${one} and ${second} have the same id (${id}). ${MEND}`;
}
