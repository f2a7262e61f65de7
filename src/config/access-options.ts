import { z } from "zod";
import type { Settings } from "./config.js";
import { listOf, nonEmpty, type Option, parsed, toggle, wholeNumber } from "./option.js";
import { parseOrigin } from "./origin.js";

type AccessSettings = Pick<
  Settings,
  | "apiKey"
  | "allowedHost"
  | "corsOrigin"
  | "rateLimit"
  | "clientRequests"
  | "maxConnections"
  | "modelDir"
  | "allowPrivateDownloads"
>;

/** A name without port, dots inside it; what a `Host` header holds. */
const HOST_NAME = /^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?$/i;

/** Who may ask the HTTP API, for how much; a part of `OPTIONS`. */
export const ACCESS_OPTIONS: { readonly [Key in keyof AccessSettings]: Option<AccessSettings[Key]> } = {
  apiKey: {
    flag: "api-key",
    argument: "key",
    repeatable: true,
    description: "ask HTTP clients for this key, which is good for everything (see also exo-native keys)",
    expects: "keys of at least 8 visible ASCII characters",
    schema: listOf(z.string().regex(/^[\x21-\x7e]{8,512}$/)),
    default: [],
  },
  allowedHost: {
    flag: "allowed-host",
    argument: "name",
    repeatable: true,
    description: "answer to this host name, too, such as that of a proxy before the node",
    expects: 'host names without port, such as "models.example.org"',
    schema: listOf(z.string().regex(HOST_NAME).toLowerCase()),
    default: [],
  },
  corsOrigin: {
    flag: "cors-origin",
    argument: "origin",
    repeatable: true,
    description: "let web pages of this origin use the HTTP API (default: none but the node's own page)",
    expects: 'origins such as "https://chat.example.org" or "http://localhost:3000"',
    schema: listOf(parsed(parseOrigin)),
    default: [],
  },
  rateLimit: {
    flag: "rate-limit",
    argument: "n",
    description: "requests per minute that one HTTP client (API key, or else address) may send (default: no limit)",
    expects: "a whole number from 1 to 1000000",
    schema: wholeNumber(1, 1_000_000),
    default: null,
  },
  clientRequests: {
    flag: "client-requests",
    argument: "n",
    description: "requests that one HTTP client (API key, or else address) may have at once (default: no limit)",
    expects: "a whole number from 1 to 100000",
    schema: wholeNumber(1, 100_000),
    default: null,
  },
  maxConnections: {
    flag: "max-connections",
    argument: "n",
    description: "HTTP connections at once; further ones are closed",
    expects: "a whole number from 1 to 100000",
    schema: wholeNumber(1, 100_000),
    default: 4096,
  },
  modelDir: {
    flag: "model-dir",
    argument: "directory",
    repeatable: true,
    description: "let HTTP clients load models by path from here (default: from anywhere if --http is loopback)",
    expects: "paths of directories",
    schema: listOf(nonEmpty),
    default: [],
  },
  allowPrivateDownloads: {
    flag: "allow-private-downloads",
    argument: null,
    description: "fetch models that HTTP clients name also from private addresses, such as 192.168.1.5",
    expects: "true or false",
    schema: toggle,
    default: false,
  },
};
