import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { randomId } from "../app/random-id.js";
import type { AppState } from "../app/state.js";
import { chatMessages } from "./chat-messages.js";
import {
  type Answer,
  branchOf,
  type Conversation,
  newConversation,
  type Question,
  showing,
  withChanged,
  withTurn,
} from "./conversation.js";
import { ConversationStore, type SaveOutcome } from "./conversation-store.js";
import { Panels } from "./panels.js";
import { ParameterStore } from "./parameter-store.js";
import { RunningAnswer } from "./running-answer.js";

/** How often an unfinished answer is kept, for the case that the page is closed. */
const KEEP_MILLISECONDS = 2000;

/** What readers hear when an answer ends. */
const SPOKEN: Readonly<Record<Answer["ending"], string>> = {
  complete: "Answer complete.",
  length: "The answer reached its limit of tokens.",
  tool_calls: "The model asks for a tool.",
  stopped: "Stopped.",
  failed: "The answer failed.",
  writing: "",
};

/** The conversations, and the answers that are being written. It outlives the view, so that an answer goes on. */
export class Chat {
  readonly #app: AppState;
  readonly #currentId = signal("");
  readonly #fresh = signal(newConversation(randomId(), Date.now()));
  readonly #running = signal<ReadonlyMap<string, RunningAnswer>>(new Map());
  readonly store: ConversationStore;
  readonly parameters: ParameterStore;
  readonly panels = new Panels();
  /** The one that is shown; one without turns is not kept. */
  readonly current: ReadonlySignal<Conversation>;
  /** The answer that is being written in the conversation that is shown. */
  readonly running: ReadonlySignal<RunningAnswer | null>;
  /** What is read out: that an answer began or ended, never its tokens. */
  readonly status = signal("");
  /** What is being written in the message box. */
  readonly message = signal("");

  constructor(app: AppState) {
    this.#app = app;
    this.store = new ConversationStore(app.kept);
    this.parameters = new ParameterStore(app.kept);
    this.current = computed(() => {
      const id = this.#currentId.value;
      return this.store.list.value.find((conversation) => conversation.id === id) ?? this.#fresh.value;
    });
    this.running = computed(() => this.#running.value.get(this.current.value.id) ?? null);
    this.#currentId.value = this.store.list.value[0]?.id ?? "";
    addEventListener("storage", (event) => this.store.changedElsewhere(event.key));
    addEventListener("pagehide", () => this.#leave());
    setInterval(() => this.#keepUnfinished(), KEEP_MILLISECONDS);
  }

  isRunning(conversationId: string): boolean {
    return this.#running.value.has(conversationId);
  }

  open(id: string): void {
    this.#currentId.value = id;
    this.status.value = "";
  }

  startNew(): void {
    this.#fresh.value = newConversation(randomId(), Date.now());
    this.open(this.#fresh.value.id);
  }

  rename(id: string, name: string): void {
    const conversation = this.store.get(id);
    if (conversation !== undefined) this.#save({ ...conversation, name: name.trim() });
  }

  remove(id: string): void {
    this.#running.value.get(id)?.stop();
    this.store.remove(id);
    if (this.#currentId.value === id) this.startNew();
  }

  /** Whether the question was sent. */
  ask(text: string): boolean {
    return this.#askAfter(this.current.value.leaf, text);
  }

  /** Asks another question where this one stands; what followed it stays as a branch. */
  edit(question: Question, text: string): boolean {
    return this.#askAfter(question.parent, text);
  }

  /** Another answer to the same question; the one before stays as a branch. */
  regenerate(answer: Answer): void {
    if (answer.parent === null || !this.#mayAsk()) return;
    void this.#answer(this.current.value, answer.parent);
  }

  show(turnId: string): void {
    this.#save(showing(this.current.value, turnId));
  }

  stop(): void {
    this.running.value?.stop();
  }

  #askAfter(parent: string | null, text: string): boolean {
    if (text.trim() === "" || !this.#mayAsk()) return false;
    const question: Question = { id: randomId(), parent, role: "user", text: text.trim() };
    const asked = withTurn(this.current.value, question, Date.now());
    this.#currentId.value = asked.id;
    void this.#answer(asked, question.id);
    return true;
  }

  #mayAsk(): boolean {
    if (this.running.value !== null) return false;
    const [fault] = Object.values(this.parameters.read.value.faults);
    if (fault !== undefined) this.#app.notice(`A parameter has to be mended first: ${fault}`);
    return fault === undefined;
  }

  async #answer(conversation: Conversation, parent: string): Promise<void> {
    const model = this.#app.model.value;
    const running = new RunningAnswer({ id: randomId(), parent, model });
    this.#save(withTurn(conversation, running.soFar(), Date.now()));
    this.#setRunning(conversation.id, running);
    this.status.value = "Answering…";
    // A model that is not loaded is being loaded from now on; its progress should show soon.
    setTimeout(() => void this.#app.refresh(), 500);
    const answer = await running.receive(this.#app.server, this.#requestBody(conversation, parent, model));
    this.#setRunning(conversation.id, null);
    this.#finish(conversation.id, answer);
  }

  #requestBody(conversation: Conversation, parent: string, model: string): Readonly<Record<string, unknown>> {
    const { systemPrompt } = this.parameters.form.value;
    const messages = chatMessages(systemPrompt.trim(), branchOf({ ...conversation, leaf: parent }));
    return { ...(model === "" ? {} : { model }), messages, ...this.parameters.read.value.body };
  }

  #finish(conversationId: string, answer: Answer): void {
    const conversation = this.store.get(conversationId);
    // It may have been deleted meanwhile.
    if (conversation === undefined) return;
    this.#save(withChanged(conversation, answer, Date.now()));
    if (conversationId === this.current.value.id) this.status.value = answer.failure?.message ?? SPOKEN[answer.ending];
  }

  #save(conversation: Conversation): void {
    this.#tell(this.store.save(conversation));
  }

  #tell({ kept, dropped }: SaveOutcome): void {
    if (!kept) {
      this.#app.notice("This browser has no room for the conversation: it is lost when the page is closed. Export it.");
    } else if (dropped > 0) {
      this.#app.notice("The oldest conversations were deleted, to make room for this one.");
    }
  }

  #leave(): void {
    this.#keepUnfinished();
    for (const running of this.#running.value.values()) running.stop();
  }

  #keepUnfinished(): void {
    for (const [id, running] of this.#running.value) {
      const conversation = this.store.get(id);
      if (conversation !== undefined) this.store.keep(withChanged(conversation, running.soFar(), Date.now()));
    }
  }

  #setRunning(conversationId: string, running: RunningAnswer | null): void {
    const changed = new Map(this.#running.value);
    if (running === null) changed.delete(conversationId);
    else changed.set(conversationId, running);
    this.#running.value = changed;
  }
}

const chats = new WeakMap<AppState, Chat>();

export function chatOf(app: AppState): Chat {
  const chat = chats.get(app) ?? new Chat(app);
  chats.set(app, chat);
  return chat;
}
