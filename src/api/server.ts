import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import fastify, { type FastifyInstance, LogController } from "fastify";
import { ExoError } from "../core/errors.js";
import { shortId } from "../core/ids.js";
import type { InferenceService } from "../core/inference.js";
import type { Service } from "../core/lifecycle.js";
import { type Clock, type Logger, systemClock } from "../core/ports.js";
import { wellFormedRequestId } from "../core/trace-context.js";
import { TraceBuffer } from "../runtime/tracing/trace-buffer.js";
import { AccessControl, type AccessOptions } from "./access/access-control.js";
import { callerOf } from "./access/caller.js";
import { answerClientFault } from "./client-fault.js";
import { ClusterFeed } from "./events/cluster-feed.js";
import { parseJsonBody } from "./json-body.js";
import { limitConnections, SERVER_LIMITS } from "./limits.js";
import { type ApiAddress, listen } from "./listen.js";
import { LiveRequests } from "./live-requests.js";
import { failureOf, levelOf } from "./log-failure.js";
import { toFastifyLogger } from "./logger-adapter.js";
import type { Observation } from "./observation/observation.js";
import { ObservedRequests } from "./observation/observed-requests.js";
import { RequestCounts } from "./observation/request-counts.js";
import type {
  ClusterView,
  Doctor,
  ModelCatalog,
  ModelLibrary,
  NodeControl,
  PlanningService,
  RingControl,
} from "./ports.js";
import { answerErrors, asHttpError, collectRoutes, refuseOtherMethods, sendError } from "./refuse-requests.js";
import type { AnswerPorts } from "./routes/answer.js";
import { chatRoute } from "./routes/chat.js";
import { completionsRoute } from "./routes/completions.js";
import { doctorRoute } from "./routes/doctor.js";
import { drainRoute } from "./routes/drain.js";
import { embeddingsRoute } from "./routes/embeddings.js";
import { eventRoutes } from "./routes/events.js";
import { messagesRoutes } from "./routes/messages.js";
import { metricsRoute } from "./routes/metrics.js";
import { modelRoutes } from "./routes/models.js";
import { ollamaRoutes } from "./routes/ollama/ollama.js";
import { pageRoutes } from "./routes/page.js";
import { planningRoutes } from "./routes/planning.js";
import { responsesRoutes } from "./routes/responses.js";
import { ringRoutes } from "./routes/rings.js";
import { clusterRoute, healthRoutes } from "./routes/status.js";
import { textRoutes } from "./routes/text.js";
import { traceRoutes } from "./routes/traces.js";

const MIB = 1024 * 1024;

export interface ApiInit extends AccessOptions {
  readonly inference: InferenceService;
  readonly models: ModelCatalog;
  readonly cluster: ClusterView;
  readonly planner: PlanningService;
  readonly rings: RingControl;
  readonly nodes: NodeControl;
  readonly library: ModelLibrary;
  /** Looks at this machine when it is asked to; absent: it cannot be asked. */
  readonly doctor?: Doctor;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Where to listen; port 0: any free one. */
  readonly host: string;
  readonly port: number;
  /** Told with every answer: our version and llama.cpp's tag, which together fix what greedy sampling gives. */
  readonly systemFingerprint: string;
  readonly bodyLimitBytes?: number;
  /** Default: as many as the operating system lets. */
  readonly maxConnections?: number;
  /** Milliseconds between the comment lines of a stream. */
  readonly heartbeatMilliseconds?: number;
  /** A stream's client that reads nothing for this long is cut off. */
  readonly stalledClientMilliseconds?: number;
  /** Absent: no metrics, no traces, no events. */
  readonly observation?: Observation;
  /** How long `stop` waits for running answers to say that they end. */
  readonly stopMilliseconds?: number;
}

/** The HTTP server. */
export interface Api extends Service {
  /** `null` until started. */
  readonly address: ApiAddress | null;
}

export function createApi(init: ApiInit): Api {
  return new HttpApi(init);
}

class HttpApi implements Api {
  readonly name = "http api";
  readonly #init: ApiInit;
  readonly #live = new LiveRequests();
  readonly #observed: ObservedRequests;
  readonly #access: AccessControl;
  #app: FastifyInstance | null = null;
  #stopping = false;
  address: ApiAddress | null = null;

  constructor(init: ApiInit) {
    this.#init = init;
    this.#observed = observedRequests(init);
    const { host: boundHost, clock = systemClock } = init;
    this.#access = new AccessControl({ ...init, boundHost, machineName: hostname(), clock });
  }

  async start(): Promise<void> {
    if (this.#app !== null) return;
    const { host, port } = this.#init;
    this.#stopping = false;
    const app = createApp(this.#init);
    this.#app = app;
    try {
      await this.#access.open();
      await this.#build(app);
      limitConnections(app.server, this.#init);
      this.address = await listen(app, host, port);
    } catch (thrown) {
      await this.stop();
      throw thrown;
    }
  }

  /** Refuses new requests, ends running answers with an error event, and closes every connection. */
  async stop(): Promise<void> {
    const app = this.#app;
    if (app === null) return;
    this.#app = null;
    this.#stopping = true;
    this.address = null;
    const closing = app.close();
    this.#live.abortAll(stoppingError());
    const deadline = new AbortController();
    const late = delay(this.#init.stopMilliseconds ?? 1000, undefined, { signal: deadline.signal }).catch(() => {});
    await Promise.race([this.#live.whenIdle(), late]);
    deadline.abort();
    app.server.closeAllConnections();
    await closing;
  }

  async #build(app: FastifyInstance): Promise<void> {
    const { cluster } = this.#init;
    const routes = collectRoutes(app);
    this.#observed.attach(app);
    app.addHook("onRequest", async (request, reply) => {
      reply.header("x-request-id", request.id);
      if (this.#stopping) throw stoppingError();
    });
    this.#access.guardAll(app);
    answerErrors(app, bodyLimit(this.#init));
    healthRoutes(app, cluster);
    await app.register(pageRoutes);
    await app.register(async (guarded) => {
      this.#access.guardRoutes(guarded);
      this.#guardedRoutes(guarded);
    });
    refuseOtherMethods(app, routes);
  }

  #guardedRoutes(app: FastifyInstance): void {
    const { inference, models, cluster, planner, rings, nodes, library, doctor = null } = this.#init;
    const ports: AnswerPorts = {
      inference,
      models,
      live: this.#live,
      clock: this.#init.clock ?? systemClock,
      systemFingerprint: this.#init.systemFingerprint,
      sse: {
        heartbeatMilliseconds: this.#init.heartbeatMilliseconds ?? 5000,
        stalledClientMilliseconds: this.#init.stalledClientMilliseconds ?? 60_000,
      },
      asks: (request, model) => this.#observed.asks(request, model),
      clientOf: (request) => callerOf(request).client,
    };
    chatRoute(app, ports);
    completionsRoute(app, ports);
    embeddingsRoute(app, ports);
    responsesRoutes(app, ports);
    // Each with hooks and parsers of its own.
    app.register(async (own) => messagesRoutes(own, ports));
    app.register(async (own) => ollamaRoutes(own, { ...ports, cluster, rings, library }));
    modelRoutes(app, models);
    textRoutes(app, ports);
    clusterRoute(app, cluster);
    doctorRoute(app, { doctor, cluster, url: () => this.address?.url ?? "" });
    planningRoutes(app, planner, this.#live);
    ringRoutes(app, rings, this.#live);
    drainRoute(app, nodes);
    this.#observationRoutes(app, ports);
  }

  #observationRoutes(app: FastifyInstance, { clock, sse }: AnswerPorts): void {
    const { observation, cluster } = this.#init;
    if (observation === undefined) return;
    const { activity, eventMilliseconds: everyMilliseconds = 500 } = observation;
    metricsRoute(app, observation.metrics);
    traceRoutes(app, observation.recorded, cluster);
    const feed = new ClusterFeed({ snapshot: () => cluster.snapshot(), activity, everyMilliseconds, clock });
    eventRoutes(app, feed, this.#live, sse);
  }
}

function createApp(init: ApiInit): FastifyInstance {
  const limit = bodyLimit(init);
  const app = fastify({
    loggerInstance: toFastifyLogger(init.logger),
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: ({ headers }) => wellFormedRequestId(headers["x-request-id"]) ?? shortId(),
    bodyLimit: limit,
    ...SERVER_LIMITS,
    return503OnClosing: false,
    forceCloseConnections: "idle",
    routerOptions: { maxParamLength: 1024 },
    clientErrorHandler: answerClientFault,
    frameworkErrors: (error, request, reply) => {
      sendError(asHttpError(error, limit), request, reply);
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, async (_request: unknown, body: Buffer) =>
    parseJsonBody(body),
  );
  app.addHook("onResponse", async ({ method, routeOptions, log }, reply) => {
    // Pages, supervisors and scrapers read again and again; what is asked of models is worth a line.
    const level = method === "GET" || method === "HEAD" ? "debug" : levelOf(failureOf(log));
    const fields = { method, route: routeOptions.url ?? null, status: reply.statusCode };
    log[level]({ ...fields, milliseconds: Math.round(reply.elapsedTime) }, "request answered");
  });
  return app;
}

function observedRequests({ observation, models, clock = systemClock }: ApiInit): ObservedRequests {
  return new ObservedRequests({
    counts: observation?.counts ?? new RequestCounts(),
    traces: observation?.traces ?? new TraceBuffer({ nodeId: "", rate: 0, clock }),
    isLoaded: (model) => models.list().some(({ id, state }) => id === model && state !== "unloaded"),
    ...(observation?.outer === undefined ? {} : { outer: observation.outer }),
    clock,
  });
}

function bodyLimit(init: ApiInit): number {
  return init.bodyLimitBytes ?? 16 * MIB;
}

function stoppingError(): ExoError {
  return new ExoError("not_ready", "This node is stopping; send the request to another node, or again later.");
}
