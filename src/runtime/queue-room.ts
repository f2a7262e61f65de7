import { ExoError } from "../core/errors.js";

/** How many requests are there, and how many may be. */
export interface QueueLoad {
  readonly slots: number;
  readonly busySlots: number;
  /** Requests that wait for a slot. */
  readonly waiting: number;
}

/** Throws `overloaded` when one more request has to wait longer than the queue allows. */
export function checkQueueRoom({ slots, busySlots, waiting }: QueueLoad, queueLimit: number): void {
  if (waiting - (slots - busySlots) < queueLimit) return;
  throw new ExoError("overloaded", `${waiting} requests wait already for ${slots} slots; try again later.`);
}
