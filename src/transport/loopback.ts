export { isLoopback } from "../core/loopback.js";
