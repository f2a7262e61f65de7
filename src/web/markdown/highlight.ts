import bash from "highlight.js/lib/languages/bash";
import cpp from "highlight.js/lib/languages/cpp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import markdown from "highlight.js/lib/languages/markdown";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";
import { type ComponentChild, h } from "preact";

/** Colouring more than this takes longer than a reader waits. Characters. */
const LONGEST = 50_000;

const lowlight = createLowlight({
  bash,
  cpp,
  css,
  diff,
  go,
  ini,
  java,
  javascript,
  json,
  markdown,
  python,
  rust,
  sql,
  typescript,
  xml,
  yaml,
});
lowlight.registerAlias({ bash: ["console", "shell"], cpp: ["c", "h"] });

type Tree = ReturnType<typeof lowlight.highlight>["children"];

/** Code as spans with classes; plain text when the language is not known. */
export function highlight(code: string, language: string): ComponentChild {
  const name = language.toLowerCase();
  if (code.length > LONGEST || !lowlight.registered(name)) return code;
  return nodes(lowlight.highlight(name, code).children);
}

function nodes(tree: Tree): readonly ComponentChild[] {
  return tree.map((node) => {
    if (node.type === "text") return node.value;
    if (node.type !== "element") return null;
    const { className } = node.properties;
    return h("span", { class: Array.isArray(className) ? className.join(" ") : "" }, nodes(node.children));
  });
}
