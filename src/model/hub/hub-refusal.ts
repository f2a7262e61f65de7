import { ExoError } from "../../core/errors.js";
import type { HttpResponse } from "../http-response.js";

/** What it means that the hub refuses a repository or a file of it. */
export function hubRefusal(what: string, { status, headers }: HttpResponse, withToken: boolean): ExoError {
  return new ExoError("download_failed", sentence(what, status, headers.get("x-error-code") ?? "", withToken));
}

function sentence(what: string, status: number, code: string, withToken: boolean): string {
  if (code === "GatedRepo" || status === 403) {
    return withToken
      ? `${what} is gated on the hub, and your token may not read it yet: open its page there, accept its terms, and try again.`
      : `${what} is gated on the hub: accept its terms on its page there, and give a token of yours in HF_TOKEN.`;
  }
  if (code === "RevisionNotFound") return `${what} has no such revision on the hub.`;
  if (code === "EntryNotFound") return `There is no file ${what} on the hub.`;
  if (status === 401) {
    return withToken
      ? `The hub refuses ${what}: there is no such repository, it is private, or the token in HF_TOKEN is not valid.`
      : `The hub refuses ${what}: there is no such repository, or it is private and needs a token in HF_TOKEN.`;
  }
  if (status === 404 || status === 410) return `There is no ${what} on the hub. Check the spelling.`;
  return `The hub answered ${status} for ${what}.`;
}
