import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import type { ComponentChild } from "preact";
import { useEffect } from "preact/hooks";
import { CopyButton } from "../app/copy-button.js";

interface Props {
  readonly code: string;
  /** As the fence names it; may be empty. */
  readonly language: string;
  /** Code that is still being written has no colours: they would be computed anew for every token. */
  readonly final: boolean;
}

/** A block of code with a button that copies it. Colours come when their module has. */
export function CodeBlock({ code, language, final }: Props) {
  const coloured = useSignal<{ readonly code: string; readonly nodes: ComponentChild } | null>(null);
  useEffect(() => {
    let current = true;
    if (final && language !== "") {
      void import("./highlight.js").then(({ highlight }) => {
        if (current) coloured.value = { code, nodes: highlight(code, language) };
      });
    }
    return () => {
      current = false;
    };
  }, [code, language, final]);
  const nodes = coloured.value?.code === code ? coloured.value.nodes : code;
  const label = language === "" ? "Code" : `Code, ${language}`;
  return html`<figure class="code">
    <figcaption><span>${language || "Text"}</span><${CopyButton} text=${() => code} what="the code" /></figcaption>
    <pre tabindex="0" role="group" aria-label=${label}><code>${nodes}</code></pre>
  </figure>`;
}
