import { accessCheck } from "./access-check.js";
import { buildCheck } from "./build-check.js";
import { cacheCheck } from "./cache-check.js";
import type { Check } from "./check.js";
import { clockCheck } from "./clock-check.js";
import { configCheck } from "./config-check.js";
import { crashCheck } from "./crash-check.js";
import { diskCheck } from "./disk-check.js";
import { firewallCheck } from "./firewall-check.js";
import { interfacesCheck } from "./interfaces-check.js";
import { limitsCheck } from "./limits-check.js";
import { membersCheck } from "./members-check.js";
import { memoryCheck } from "./memory-check.js";
import { multicastCheck } from "./multicast-check.js";
import { nativeCheck } from "./native-check.js";
import { peersCheck } from "./peers-check.js";
import { portsCheck } from "./ports-check.js";
import { reachCheck } from "./reach-check.js";
import { trustCheck } from "./trust-check.js";

/** Everything the doctor looks at, in the order in which it tells of it. */
export const CHECKS: readonly Check[] = [
  configCheck,
  accessCheck,
  buildCheck,
  nativeCheck,
  memoryCheck,
  limitsCheck,
  diskCheck,
  cacheCheck,
  crashCheck,
  trustCheck,
  portsCheck,
  interfacesCheck,
  multicastCheck,
  firewallCheck,
  membersCheck,
  peersCheck,
  clockCheck,
  reachCheck,
];
