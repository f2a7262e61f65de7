import { ExoError } from "../../../core/errors.js";
import type { ListedModel } from "../../node-client/node-client.js";
import { inColumns } from "../../terminal/columns.js";
import type { ChatCommand } from "./chat-command.js";

export const modelCommand: ChatCommand = {
  names: ["model"],
  argument: "[name]",
  description: "go on with another model; nothing lists them",
  async run({ conversation, models, print, note }, argument) {
    const listed = await models();
    if (argument === "") {
      print(inColumns(listed.map((model) => row(model, conversation.model))));
      return;
    }
    const { id, loaded } = modelNamed(listed, argument);
    conversation.model = id;
    note(loaded ? `${id} goes on with this conversation` : `${id} goes on; it is loaded for the next question`);
  },
  complete: async ({ models }) => (await models()).map(({ id }) => id),
};

function row({ id, loaded }: ListedModel, current: string): string[] {
  return [`${id === current ? "*" : " "} ${id}`, loaded ? "loaded" : "loaded when it is asked"];
}

/** By id or another name, or by a beginning that only one has. */
function modelNamed(listed: readonly ListedModel[], name: string): ListedModel {
  const exact = listed.find(({ id, aliases }) => id === name || aliases.includes(name));
  if (exact !== undefined) return exact;
  const alike = listed.filter(({ id }) => id.toLowerCase().startsWith(name.toLowerCase()));
  const [only] = alike;
  if (only !== undefined && alike.length === 1) return only;
  const names = (alike.length > 0 ? alike : listed).map(({ id }) => id).join(", ");
  const what = alike.length > 0 ? "could be" : "is none of";
  throw new ExoError("model_not_found", `"${name}" ${what} ${names || "the node's models"}.`);
}
