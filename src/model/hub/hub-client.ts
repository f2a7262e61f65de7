import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import type { DownloadIo } from "../download-io.js";
import type { HttpResponse } from "../http-response.js";
import { StallGuard } from "../stall-guard.js";
import { hubRefusal } from "./hub-refusal.js";
import type { HubSettings } from "./hub-settings.js";

/** A file in a repository of the hub. */
export interface HubFile {
  readonly path: string;
  readonly bytes: number | null;
  /** Of the content; known of everything that is stored outside git, as models are. */
  readonly sha256: string | null;
}

const SHA256 = /^[0-9a-f]{64}$/;
const COMMIT = /^[0-9a-f]{40}$/;
/** Pages of a listing; a repository with more is no model. */
const MOST_PAGES = 50;
/** Tries of a question, with a pause between them. */
const TRIES = 3;
const PAUSE_MS = 1000;
const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);
const REDIRECTS = new Set([301, 302, 307, 308]);
const MOST_REDIRECTS = 5;

const revisionSchema = z.object({ sha: z.string().regex(COMMIT) });
const treeSchema = z.array(
  z.object({
    type: z.string(),
    path: z.string().max(4096),
    size: z.number().int().nonnegative().optional(),
    lfs: z.object({ oid: z.string().regex(SHA256), size: z.number().int().nonnegative() }).optional(),
  }),
);

/** The few questions that are put to the hub's HTTP API. Throws `download_failed` or `cancelled`. */
export class HubClient {
  readonly #settings: HubSettings;
  readonly #io: DownloadIo;

  constructor(settings: HubSettings, io: DownloadIo) {
    this.#settings = settings;
    this.#io = io;
  }

  /** Where a file of a commit is to be had. */
  fileUrl(repo: string, revision: string, path: string): string {
    const file = path.split("/").map(encodeURIComponent).join("/");
    return `${this.#settings.endpoint}/${repo}/resolve/${encodeURIComponent(revision)}/${file}`;
  }

  /** The commit that a revision (or the default branch) stands for now. */
  async commitOf(repo: string, revision: string | null, signal: AbortSignal): Promise<string> {
    const rev = encodeURIComponent(revision ?? "main");
    const answer = await this.#json(`${this.#settings.endpoint}/api/models/${repo}/revision/${rev}`, repo, signal);
    return this.#parse(revisionSchema, answer.value, repo).sha;
  }

  /** Every file of a commit. */
  async filesOf(repo: string, commit: string, signal: AbortSignal): Promise<readonly HubFile[]> {
    const files: HubFile[] = [];
    let url: string | null = `${this.#settings.endpoint}/api/models/${repo}/tree/${commit}?recursive=true`;
    for (let page = 0; url !== null && page < MOST_PAGES; page++) {
      const { value, next }: Answered = await this.#json(url, repo, signal);
      for (const { type, path, size, lfs } of this.#parse(treeSchema, value, repo)) {
        if (type === "file") files.push({ path, bytes: lfs?.size ?? size ?? null, sha256: lfs?.oid ?? null });
      }
      url = next;
    }
    return files;
  }

  /** One file by itself, which every mirror answers, also those without an API: its size, hash and commit. */
  async fileAt(
    repo: string,
    revision: string | null,
    path: string,
    signal: AbortSignal,
  ): Promise<HubFile & { commit: string | null }> {
    const response = await this.#head(this.fileUrl(repo, revision ?? "main", path), `${repo}/${path}`, signal);
    const { headers } = response;
    const etag = (headers.get("x-linked-etag") ?? "").replace(/^W\//, "").replaceAll('"', "");
    const size = headers.get("x-linked-size") ?? (response.ok ? headers.get("content-length") : null) ?? "";
    const commit = headers.get("x-repo-commit") ?? "";
    return {
      path,
      bytes: /^\d{1,15}$/.test(size) ? Number(size) : null,
      sha256: SHA256.test(etag) ? etag : null,
      commit: COMMIT.test(commit) ? commit : null,
    };
  }

  /** Where the content lies is another's address, so only redirects within the hub (renamed repositories) are followed. */
  async #head(first: string, what: string, signal: AbortSignal): Promise<HttpResponse> {
    let url = first;
    for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
      const response = await this.#ask(url, "HEAD", what, signal);
      const location = REDIRECTS.has(response.status) ? response.headers.get("location") : null;
      const target = location !== null && URL.canParse(location, url) ? new URL(location, url) : null;
      if (target === null || target.origin !== new URL(url).origin || response.headers.has("x-linked-size"))
        return response;
      url = target.href;
    }
    throw new ExoError("download_failed", `${what} cannot be found on the hub: it redirects in a circle.`);
  }

  async #json(url: string, what: string, signal: AbortSignal): Promise<Answered> {
    const response = await this.#ask(url, "GET", what, signal);
    const next = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
    try {
      return { value: await response.json(), next: sameOrigin(next, url) };
    } catch (cause) {
      if (signal.aborted) throw cancelled(what);
      const message = `The hub at ${this.#settings.endpoint} answered for ${what} with something else than JSON. Is HF_ENDPOINT right, and the network open?`;
      throw new ExoError("download_failed", message, { cause });
    }
  }

  /** An answer that is neither a refusal nor a passing trouble. */
  async #ask(url: string, method: "GET" | "HEAD", what: string, signal: AbortSignal): Promise<HttpResponse> {
    let trouble = "";
    for (let attempt = 0; attempt < TRIES; attempt++) {
      if (attempt > 0) await this.#io.sleep(PAUSE_MS * attempt, signal).catch(() => {});
      if (signal.aborted) throw cancelled(what);
      const stall = new StallGuard(signal, this.#io.stallMilliseconds);
      try {
        const response = await this.#io.fetch(url, {
          method,
          headers: this.#headers(),
          signal: stall.signal,
          redirect: "manual",
        });
        if (response.ok || REDIRECTS.has(response.status)) return response;
        await response.body?.cancel();
        if (!TRANSIENT.has(response.status)) throw hubRefusal(what, response, this.#settings.token !== null);
        trouble = `it answered ${response.status}`;
      } catch (thrown) {
        if (signal.aborted) throw cancelled(what);
        if (thrown instanceof ExoError) throw thrown;
        trouble = stall.stalled ? "it does not answer" : reasonOf(thrown);
      } finally {
        stall.end();
      }
    }
    throw new ExoError(
      "download_failed",
      `The hub at ${this.#settings.endpoint} cannot be asked for ${what}: ${trouble}.`,
    );
  }

  #headers(): Record<string, string> {
    const { token } = this.#settings;
    return token === null ? {} : { Authorization: `Bearer ${token}` };
  }

  #parse<Value>(schema: z.ZodType<Value>, value: unknown, repo: string): Value {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const field = parsed.error.issues[0]?.path.join(".") ?? "";
    throw new ExoError(
      "download_failed",
      `What the hub says of ${repo} cannot be understood${field === "" ? "" : ` (at ${field})`}.`,
    );
  }
}

interface Answered {
  readonly value: unknown;
  readonly next: string | null;
}

/** The token goes along, so a listing may not go on elsewhere. */
function sameOrigin(next: string | undefined, url: string): string | null {
  if (next === undefined || !URL.canParse(next, url)) return null;
  const target = new URL(next, url);
  return target.origin === new URL(url).origin ? target.href : null;
}

function cancelled(what: string): ExoError {
  return new ExoError("cancelled", `Asking the hub for ${what} was cancelled.`);
}

function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  return cause instanceof Error ? cause.message : String(cause);
}
