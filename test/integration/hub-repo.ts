import { createHash } from "node:crypto";
import type { Content, Hub, HubFile } from "./model-hub.js";

/** A file of a repository, and how the machine with the content behaves. */
export interface RepoFile extends Partial<Omit<HubFile, "content" | "redirectTo">> {
  readonly content: Content;
  /** As the hub tells it; default: of the content. `null`: not told. */
  readonly sha256?: string | null;
}

export interface RepoOptions {
  readonly name: string;
  readonly files: Readonly<Record<string, RepoFile>>;
  readonly commit?: string;
  /** Bearer token that the hub, and only it, asks for. */
  readonly token?: string;
  /** Files per page of the listing. */
  readonly pageSize?: number;
}

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** Puts a repository on a hub as huggingface.co does: an API, and files that lie on another machine. */
export function addRepo(
  hub: Hub,
  cdn: Hub,
  { name, files, commit = COMMIT, token, pageSize = 100 }: RepoOptions,
): void {
  const gate = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const json = (path: string, value: unknown, headers: Record<string, string> = {}): void => {
    hub.serve(path, {
      ...gate,
      content: Buffer.from(JSON.stringify(value)),
      headers: { "content-type": "application/json", ...headers },
    });
  };
  for (const revision of ["main", commit]) json(`/api/models/${name}/revision/${revision}`, { id: name, sha: commit });
  const entries = Object.entries(files).map(([path, file]) => treeEntry(path, file));
  for (let at = 0; at === 0 || at < entries.length; at += pageSize) {
    const path = `/api/models/${name}/tree/${commit}?recursive=true`;
    const next =
      at + pageSize < entries.length ? { link: `<${hub.url(`${path}&cursor=${at + pageSize}`)}>; rel="next"` } : {};
    json(at === 0 ? path : `${path}&cursor=${at}`, entries.slice(at, at + pageSize), next);
  }
  for (const [path, file] of Object.entries(files)) {
    const { sha256, content, ...behaviour } = file;
    const place = `/cdn/${name}/${commit}/${path}?signature=secret`;
    cdn.serve(place, { ...behaviour, content });
    const headers = {
      "x-repo-commit": commit,
      "x-linked-size": String(content.length),
      ...(shaOf(file) === null ? {} : { "x-linked-etag": `"${shaOf(file)}"` }),
    };
    for (const revision of ["main", commit]) {
      hub.serve(`/${name}/resolve/${revision}/${path}`, {
        ...gate,
        content: Buffer.alloc(0),
        headers,
        redirectTo: cdn.url(place),
      });
    }
  }
}

function treeEntry(path: string, file: RepoFile) {
  const oid = shaOf(file);
  const size = file.content.length;
  return {
    type: "file",
    path,
    size,
    oid: "b".repeat(40),
    ...(oid === null ? {} : { lfs: { oid, size, pointerSize: 135 } }),
  };
}

function shaOf({ sha256, content }: RepoFile): string | null {
  if (sha256 !== undefined) return sha256;
  return createHash("sha256").update(content.subarray(0, content.length)).digest("hex");
}
