import { type ReadonlySignal, signal } from "@preact/signals";
import type { Kept } from "../app/kept.js";
import type { Conversation } from "./conversation.js";
import { parseConversation } from "./parse-conversation.js";

/** One entry per conversation, so that tabs do not write over each other's. */
export const CONVERSATION_PREFIX = "exo-native.chat.";

export interface StoreLimits {
  readonly conversations: number;
  /** Of all conversations as JSON. Browsers give a page about five million, and settings want room too. */
  readonly characters: number;
}

const LIMITS: StoreLimits = { conversations: 200, characters: 4_000_000 };

export interface SaveOutcome {
  /** `false`: it lasts only as long as the page. */
  readonly kept: boolean;
  /** How many older conversations went to make room. */
  readonly dropped: number;
}

/** The conversations of this browser, the newest first. */
export class ConversationStore {
  readonly #kept: Kept;
  readonly #limits: StoreLimits;
  readonly #list = signal<readonly Conversation[]>([]);
  /** By conversation: characters kept of it. */
  readonly #sizes = new Map<string, number>();

  constructor(kept: Kept, limits: StoreLimits = LIMITS) {
    this.#kept = kept;
    this.#limits = limits;
    this.#list.value = newestFirst(kept.keys(CONVERSATION_PREFIX).flatMap((key) => this.#read(key)));
  }

  get list(): ReadonlySignal<readonly Conversation[]> {
    return this.#list;
  }

  get(id: string): Conversation | undefined {
    return this.#list.value.find((conversation) => conversation.id === id);
  }

  /** Shows it in the list, and keeps it; where there is no room, the oldest others go. */
  save(conversation: Conversation): SaveOutcome {
    const others = this.#list.value.filter(({ id }) => id !== conversation.id);
    this.#list.value = newestFirst([...others, conversation]);
    return this.keep(conversation);
  }

  /** Keeps it as it is now, without showing it: for an answer that is still being written. */
  keep(conversation: Conversation): SaveOutcome {
    const text = JSON.stringify(conversation);
    let dropped = 0;
    while (!this.#fits(conversation.id, text) || !this.#kept.write(CONVERSATION_PREFIX + conversation.id, text)) {
      const oldest = this.#list.value.findLast(({ id }) => id !== conversation.id);
      if (oldest === undefined) return { kept: false, dropped };
      this.remove(oldest.id);
      dropped += 1;
    }
    this.#sizes.set(conversation.id, text.length);
    return { kept: true, dropped };
  }

  remove(id: string): void {
    this.#kept.forget(CONVERSATION_PREFIX + id);
    this.#sizes.delete(id);
    this.#list.value = this.#list.value.filter((conversation) => conversation.id !== id);
  }

  /** Another tab changed what is kept under this key; `null`: everything. */
  changedElsewhere(key: string | null): void {
    if (key !== null && !key.startsWith(CONVERSATION_PREFIX)) return;
    const keys = key === null ? this.#kept.keys(CONVERSATION_PREFIX) : [key];
    const ids = new Set(keys.map((one) => one.slice(CONVERSATION_PREFIX.length)));
    const others = key === null ? [] : this.#list.value.filter(({ id }) => !ids.has(id));
    for (const id of key === null ? this.#sizes.keys() : ids) this.#sizes.delete(id);
    this.#list.value = newestFirst([...others, ...keys.flatMap((one) => this.#read(one))]);
  }

  #read(key: string): readonly Conversation[] {
    const text = this.#kept.read(key);
    const conversation = parseConversation(this.#kept.readJson(key));
    if (text === null || conversation === null) return [];
    this.#sizes.set(conversation.id, text.length);
    return [conversation];
  }

  #fits(id: string, text: string): boolean {
    const others = [...this.#sizes].filter(([other]) => other !== id);
    const characters = others.reduce((sum, [, size]) => sum + size, text.length);
    return others.length < this.#limits.conversations && characters <= this.#limits.characters;
  }
}

function newestFirst(conversations: readonly Conversation[]): readonly Conversation[] {
  return conversations.toSorted((a, b) => b.updated - a.updated);
}
