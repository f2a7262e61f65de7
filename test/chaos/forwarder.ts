import { createConnection, createServer } from "node:net";

/** Inside a node's network: connections to a socket file go on to the node's address, which is reached from nowhere else. */
const [path = "", host = "", port = ""] = process.argv.slice(2);

const server = createServer((caller) => {
  const node = createConnection({ host, port: Number(port) });
  for (const [one, other] of [
    [caller, node],
    [node, caller],
  ] as const) {
    one.setNoDelay(true);
    one.on("error", () => {});
    one.on("close", () => other.destroy());
    one.pipe(other);
  }
});
server.listen(path, () => process.stdout.write("listening\n"));
process.on("disconnect", () => process.exit(0));
