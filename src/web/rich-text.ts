import { element } from "./element.js";

/** Text with its fenced code blocks set apart; everything else stays as the model wrote it. */
export function richText(text: string): readonly HTMLElement[] {
  const parts = text.split(/^```[^\n]*\n?/m);
  return parts.flatMap((part, index) => {
    const code = index % 2 === 1;
    if (part.trim() === "" && !code) return [];
    return [
      code ? element("pre", "", element("code", "", part.replace(/\n$/, ""))) : element("div", "prose", part.trim()),
    ];
  });
}
