import { toolCallId } from "../core/ids.js";
import type { ToolCallDelta } from "../core/inference.js";
import type { ToolCall } from "../native/chat.js";
import { growth } from "./growth.js";

/** What has been told of one call. */
interface SentCall {
  arguments: string;
}

/** Turns the calls found in an answer so far, again and again, into what is new about them. */
export class ToolCallStream {
  readonly #sent: SentCall[] = [];

  /** Calls that somebody has been told of. */
  get count(): number {
    return this.#sent.length;
  }

  /** @param partial more of the answer is to come */
  push(calls: readonly ToolCall[], partial: boolean): readonly ToolCallDelta[] {
    return calls.flatMap((call, index) => {
      // A parser may find a name letter by letter; it is whole when something comes after it.
      const named = call.name !== "" && (!partial || call.arguments !== "" || index < calls.length - 1);
      return index > this.#sent.length || !named ? [] : this.#deltas(call, index);
    });
  }

  #deltas(call: ToolCall, index: number): readonly ToolCallDelta[] {
    const sent = this.#sent[index];
    if (sent === undefined) {
      this.#sent.push({ arguments: call.arguments });
      // Most templates have no ids; clients answer a call by its id.
      return [{ index, id: call.id === "" ? toolCallId() : call.id, name: call.name, arguments: call.arguments }];
    }
    const more = growth(sent.arguments, call.arguments);
    sent.arguments += more;
    return more === "" ? [] : [{ index, arguments: more }];
  }
}
