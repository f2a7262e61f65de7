import { type Readable, Transform } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ExoError } from "../../core/errors.js";

/** A body takes its text, its parsed form and what is made of that: a few times its bytes, as long as it is answered. */
export const BODY_BUDGET = 256 * 2 ** 20;

/** Bounds what the bodies of all requests under way take together, for each of them alone may be large. */
export class BodyBudget {
  readonly #limit: number;
  readonly #held = new WeakMap<FastifyRequest, { bytes: number }>();
  #total = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes of bodies under way. */
  get total(): number {
    return this.#total;
  }

  attach(app: FastifyInstance): void {
    app.addHook("preParsing", async (request, reply, payload) => {
      const announced = Number(request.headers["content-length"] ?? "0");
      if (announced > 0) this.#take(request, reply, announced);
      return request.headers["transfer-encoding"] === undefined ? payload : this.#counted(request, reply, payload);
    });
  }

  /** Of a body whose length nobody said. */
  #counted(request: FastifyRequest, reply: FastifyReply, payload: Readable): Readable {
    const counter = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        try {
          this.#take(request, reply, chunk.length);
          done(null, chunk);
        } catch (thrown) {
          done(thrown instanceof Error ? thrown : new Error(String(thrown)));
        }
      },
    });
    payload.once("error", (error) => counter.destroy(error));
    // A client that goes away in the middle.
    payload.once("close", () => !payload.readableEnded && counter.destroy(new Error("the connection closed early")));
    return payload.pipe(counter);
  }

  /** Throws `overloaded`. What is taken comes back when the response is over, however it ends. */
  #take(request: FastifyRequest, reply: FastifyReply, bytes: number): void {
    if (this.#total > 0 && this.#total + bytes > this.#limit) throw tooMuch();
    let held = this.#held.get(request);
    if (held === undefined) {
      const own = { bytes: 0 };
      held = own;
      this.#held.set(request, own);
      reply.raw.once("close", () => {
        this.#total -= own.bytes;
      });
    }
    held.bytes += bytes;
    this.#total += bytes;
  }
}

function tooMuch(): ExoError {
  return new ExoError("overloaded", "The bodies of all requests under way are too large together; try again later.");
}
