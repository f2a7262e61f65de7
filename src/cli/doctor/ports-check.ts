import { formatHostPort } from "../../config/address.js";
import type { Config } from "../../config/config.js";
import type { Check } from "./check.js";
import type { DoctorContext } from "./context.js";
import { type Finding, ok, problem } from "./finding.js";
import { portHolder } from "./port-holder.js";

interface Port {
  readonly id: "ports.http" | "ports.grpc";
  readonly flag: "--http" | "--grpc";
  /** Ends "Port 52415 …". */
  readonly use: string;
  readonly host: string;
  readonly port: number;
}

/** Whether a node could listen where its settings say, and who is in its way. */
export const portsCheck: Check = {
  subject: "the ports of a node",
  run: (context) => Promise.all(portsOf(context.config).map((port) => lookAt(port, context))),
};

function portsOf({ http, grpc, open }: Config): readonly Port[] {
  return [
    { id: "ports.http", flag: "--http", use: "for the HTTP API", host: http.host ?? "127.0.0.1", port: http.port },
    {
      id: "ports.grpc",
      flag: "--grpc",
      use: "for other nodes",
      host: grpc.host ?? (open ? "0.0.0.0" : "127.0.0.1"),
      port: grpc.port,
    },
  ];
}

async function lookAt(port: Port, context: DoctorContext): Promise<Finding> {
  const where = formatHostPort(port);
  const title = `Port ${port.port} ${port.use}`;
  if (port.port === 0) return ok(port.id, `Any free port is taken ${port.use}`);
  const failure = await context.system.listen(port.host, port.port);
  switch (failure) {
    case null:
      return ok(port.id, `${title} is free`, `${where} can be listened on.`);
    case "EADDRINUSE":
      return isOwnNode(port, context)
        ? ok(port.id, `${title} is held by the node that runs here`)
        : taken(port, title, await portHolder(context.system, port.port));
    case "EADDRNOTAVAIL":
      return problem(
        port.id,
        `${title}: ${port.host} is no address of this machine`,
        `A node could not listen on ${where}.`,
        `Give one of its own addresses, or :${port.port} for the default: ${port.flag} :${port.port}`,
      );
    case "EACCES":
      return problem(
        port.id,
        `${title} may not be listened on by this user`,
        "Ports below 1024 are kept for the system on most machines.",
        `Take a higher port: ${port.flag} ${formatHostPort({ host: port.host, port: port.port + 10_000 })}`,
      );
    default:
      return problem(
        port.id,
        `${title} cannot be listened on (${failure})`,
        `A node could not listen on ${where}.`,
        `Take another address with ${port.flag}.`,
      );
  }
}

function taken(port: Port, title: string, holder: string | null): Finding {
  const other = formatHostPort({ host: port.host, port: port.port < 60_000 ? port.port + 10 : port.port - 10 });
  return problem(
    port.id,
    `${title} is taken by ${holder ?? "another program"}`,
    `A node started now would end with port_in_use.`,
    `Stop that program, or let the node listen elsewhere: npx exo-native serve ${port.flag} ${other}`,
  );
}

function isOwnNode(port: Port, { node }: DoctorContext): boolean {
  if (node?.isOwn !== true) return false;
  if (port.id === "ports.http") return true;
  const self = node.cluster.nodes.find(({ id }) => id === node.cluster.node.id);
  return self?.address.endsWith(`:${port.port}`) === true;
}
