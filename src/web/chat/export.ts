import { type Answer, branchOf, type Conversation, titleOf } from "./conversation.js";

/** Everything that is known of the conversation, its other branches too. */
export function toJson(conversation: Conversation): string {
  return `${JSON.stringify(conversation, null, 2)}\n`;
}

/** The branch that is shown, to be read. */
export function toMarkdown(conversation: Conversation): string {
  const turns = branchOf(conversation).map((turn) =>
    turn.role === "user" ? `## You\n\n${turn.text}` : `## ${turn.model || "Answer"}\n\n${answerMarkdown(turn)}`,
  );
  return `${[`# ${titleOf(conversation)}`, ...turns].join("\n\n")}\n`;
}

/** A name that every file system takes. */
export function fileName(conversation: Conversation, ending: string): string {
  const plain = titleOf(conversation)
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number}]+/gu, "-")
    .replaceAll(/^-|-$/g, "");
  return `${plain.slice(0, 50) || "chat"}.${ending}`;
}

function answerMarkdown({ text, reasoning, toolCalls, ending }: Answer): string {
  return [
    ...(reasoning === ""
      ? []
      : [
          reasoning
            .split("\n")
            .map((line) => `> ${line}`)
            .join("\n"),
        ]),
    ...(text === "" ? [] : [text]),
    ...toolCalls.map(({ name, arguments: json }) => `Tool call \`${name}\`:\n\n\`\`\`json\n${json}\n\`\`\``),
    ...(ending === "stopped" ? ["*Stopped.*"] : []),
  ].join("\n\n");
}
