import { type SubjectSpec, subjectId } from "../cases/bench-case.js";
import type { Subject } from "./subject.js";

export type OpenSubject = (spec: SubjectSpec) => Promise<Subject>;

/** Subjects that are loaded now. Loading takes seconds, so what the next case needs too stays. */
export class SubjectPool {
  readonly #open: OpenSubject;
  readonly #subjects = new Map<string, Subject>();

  constructor(open: OpenSubject) {
    this.#open = open;
  }

  /** The subject, loaded if it is not yet. */
  async open(spec: SubjectSpec): Promise<Subject> {
    const id = subjectId(spec);
    const known = this.#subjects.get(id);
    if (known !== undefined) return known;
    const subject = await this.#open(spec);
    this.#subjects.set(id, subject);
    return subject;
  }

  /** Idempotent. */
  async close(id: string): Promise<void> {
    const subject = this.#subjects.get(id);
    this.#subjects.delete(id);
    await subject?.close();
  }

  async keepOnly(ids: readonly string[]): Promise<void> {
    const others = [...this.#subjects.keys()].filter((id) => !ids.includes(id));
    await Promise.all(others.map((id) => this.close(id)));
  }
}
