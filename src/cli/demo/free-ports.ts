import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";

const LOOPBACK = "127.0.0.1";

/** For each wanted port itself when nobody listens on it (on loopback), else a free one. All different. */
export async function choosePorts(wanted: readonly number[]): Promise<readonly number[]> {
  const held: Server[] = [];
  try {
    for (const port of wanted) held.push((await listenOn(port)) ?? (await listenOnAny()));
    return held.map(portOf);
  } finally {
    await Promise.all(held.map(close));
  }
}

async function listenOn(port: number): Promise<Server | null> {
  const server = createServer();
  try {
    server.listen({ host: LOOPBACK, port });
    await once(server, "listening");
    return server;
  } catch {
    return null;
  }
}

async function listenOnAny(): Promise<Server> {
  const server = createServer();
  server.listen({ host: LOOPBACK, port: 0 });
  await once(server, "listening");
  return server;
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, "close");
}
