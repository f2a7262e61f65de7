import { type HostPort, parseHostPort } from "../config/address.js";
import { DEFAULT_GRPC_PORT } from "../config/options.js";
import { ExoError } from "../core/errors.js";

const MOST_PEERS = 1024;

/**
 * One `host:port` per line, `#` begins a comment. Throws `invalid_argument` naming the line that is wrong.
 *
 * @param file its name, for the sentence
 */
export function parsePeersFile(text: string, file: string): readonly HostPort[] {
  const peers = text.split(/\r?\n/).flatMap((line, index) => {
    const written = line.replace(/#.*$/, "").trim();
    if (written === "") return [];
    const peer = parseHostPort(written, DEFAULT_GRPC_PORT);
    if (peer !== null) return [peer];
    throw new ExoError(
      "invalid_argument",
      `Line ${index + 1} of ${file} is no address: expected one such as "192.168.1.20:52416" or "studio.local".`,
      { param: "--peers-file" },
    );
  });
  if (peers.length <= MOST_PEERS) return peers;
  throw new ExoError("invalid_argument", `${file} names ${peers.length} peers; at most ${MOST_PEERS} are taken.`, {
    param: "--peers-file",
  });
}
