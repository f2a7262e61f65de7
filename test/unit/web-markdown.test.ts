import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { h } from "preact";
import { type Block, blocksOf, GrowingMarkdown } from "../../src/web/markdown/blocks.js";
import { decodeEntities } from "../../src/web/markdown/entities.js";
import { MarkdownDrawing } from "../../src/web/markdown/render-markdown.js";
import { safeLink } from "../../src/web/markdown/safe-link.js";

const drawing = new MarkdownDrawing((code, language) => h("pre", { lang: language }, code));

/** What is drawn as HTML, so that a test can be read. */
function markup(node: unknown): string {
  if (Array.isArray(node)) return node.map(markup).join("");
  if (typeof node === "string") return node.replaceAll("<", "&lt;");
  if (typeof node !== "object" || node === null) return "";
  const type = String(Reflect.get(node, "type"));
  const { children, ...attributes } = Object(Reflect.get(node, "props"));
  const written = Object.entries(attributes).map(([name, value]) => ` ${name}="${String(value)}"`);
  return `<${type}${written.join("")}>${markup(children)}</${type}>`;
}

function drawn(text: string): string {
  return markup(drawing.blocks(blocksOf(text).map(({ token }) => token)));
}

function kinds(blocks: readonly Block[]): readonly string[] {
  return blocks.map(({ token }) => `${token.type} ${token.raw}`);
}

describe("Markdown as elements", () => {
  const cases: readonly (readonly [what: string, text: string, html: string])[] = [
    ["a paragraph", "Hello *there*, **you**.", "<p>Hello <em>there</em>, <strong>you</strong>.</p>"],
    ["a line's end", "one\ntwo", "<p>one<br></br>two</p>"],
    ["a heading, below the page's own", "# Title", "<h3>Title</h3>"],
    ["a deep heading", "##### Title", "<h6>Title</h6>"],
    ["code in a line", "`a < b`", "<p><code>a &lt; b</code></p>"],
    ["a block of code", "```ts title=x\na < b\n```", '<pre lang="ts">a &lt; b</pre>'],
    ["a list", "- one\n- two", "<ul><li>one</li><li>two</li></ul>"],
    ["a numbered list", "3. three\n4. four", '<ol start="3"><li>three</li><li>four</li></ol>'],
    ["a quote", "> said", "<blockquote><p>said</p></blockquote>"],
    ["a character reference", "a &amp; b &lt;i&gt; &#x41; &nonsense;", "<p>a & b &lt;i> A &nonsense;</p>"],
    ["an escape", "\\*plain\\*", "<p>*plain*</p>"],
    ["a break that models write", "one<br>two", "<p>one<br></br>two</p>"],
    ["other HTML, as text", "<b onclick='x'>bold</b>", "<p>&lt;b onclick='x'>bold&lt;/b></p>"],
    ["a block of HTML, as text", "<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"],
    ["a link to nowhere safe", "[run](javascript:alert(1))", "<p>[run](javascript:alert(1))</p>"],
    ["a link to this node", "[drain](/cluster/drain)", "<p>[drain](/cluster/drain)</p>"],
  ];
  for (const [what, text, html] of cases) {
    test(what, () => assert.equal(drawn(text), html));
  }

  test("a link opens elsewhere and says nothing of where it was", () => {
    const html = drawn("[site](https://example.com/?a=1&amp;b=2) and [mail](mailto:a@example.com)");
    const how = 'target="_blank" rel="noopener noreferrer nofollow"';
    assert.match(html, new RegExp(`<a href="https://example.com/\\?a=1&b=2" ${how}>site</a>`));
    assert.match(html, new RegExp(`<a href="mailto:a@example.com" ${how}>mail</a>`));
  });

  test("an image is a link", () => {
    assert.match(drawn("![a cat](https://example.com/cat.png)"), /<p><a href="https:[^>]*>Image: a cat<\/a><\/p>/);
    assert.doesNotMatch(drawn("![a cat](https://example.com/cat.png)"), /<img/);
  });

  test("a table has a box of its own", () => {
    const html = drawn("| a | b |\n| - | -: |\n| 1 | 2 |");
    assert.match(html, /^<div class="table-box" tabIndex="0" role="group" aria-label="Table"><table><thead>/);
    assert.match(html, /<td class="right">2<\/td>/);
  });

  test("tasks have their boxes", () => {
    assert.match(drawn("- [x] done\n- [ ] open"), /☑ .*done.*☐ .*open/s);
  });

  test("what is nested without end is shown as it was written", () => {
    for (const text of [">".repeat(5000), "- ".repeat(2000), "[".repeat(20_000), "*a".repeat(5000)]) {
      assert.notEqual(drawn(text), "");
    }
  });

  test("what cannot be read leaves the rest of the text as it is", () => {
    const html = drawn(`# Title\n\n${">".repeat(5000)} deep\n\n*end*`);
    assert.match(html, /^<h3>Title<\/h3>.*>>> deep.*<p><em>end<\/em><\/p>$/s);
  });

  test("only elements of the page's own choice come out of any text", () => {
    const allowed =
      /<\/?(?:p|em|strong|del|br|h[1-6]|code|pre|ul|ol|li|blockquote|hr|a|div|table|thead|tbody|tr|t[hd])[ >]/;
    const pieces = fc.constantFrom(
      "<script>",
      "<img src=x onerror=y>",
      "](javascript:x)",
      "[a",
      "`",
      "*",
      "> ",
      "|",
      "\n",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 8 })), { maxLength: 30 }), (parts) => {
        const html = drawn(parts.join(""));
        for (const tag of html.match(/<\/?[a-z][^>]*>/g) ?? []) assert.match(tag, allowed);
        for (const [, href] of html.matchAll(/ href="([^"]*)"/g)) assert.match(href ?? "", /^(?:https?|mailto):/);
      }),
    );
  });
});

describe("links", () => {
  test("lead to web pages and mail only", () => {
    assert.equal(safeLink("https://example.com/a b"), "https://example.com/a%20b");
    for (const bad of [
      "javascript:x",
      " JaVaScRiPt:x",
      "java\nscript:x",
      "data:text/html,x",
      "file:///etc",
      "/x",
      "#x",
      "",
    ]) {
      assert.equal(safeLink(bad), null, bad);
    }
  });
});

describe("character references", () => {
  test("that mean no character are replaced, unknown ones kept", () => {
    assert.equal(decodeEntities("&#0; &#x110000; &#9999999; &what;"), "\ufffd \ufffd \ufffd &what;");
  });
});

describe("Markdown that grows", () => {
  const DOCUMENT = [
    "# Title\n\nA paragraph that\ngoes on.\n\n- one\n\n  more of it\n- two\n    - nested\n\nSetext\n------\n\n",
    "```js\nconst a = 1;\n\n# no title\n```\n\n> quote\nlazy\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n1. x\n2. y\n\n",
    "<div>\nhtml\n</div>\n\n    indented\n\nThe end.",
  ].join("");

  test("ends as if it had come at once, whatever the pieces", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: DOCUMENT.length }), { maxLength: 40 }), (cuts) => {
        const growing = new GrowingMarkdown(() => 0);
        for (const cut of cuts.toSorted((a, b) => a - b)) growing.update(DOCUMENT.slice(0, cut));
        growing.update(DOCUMENT);
        assert.deepEqual(kinds([...growing.done, ...growing.open]), kinds(blocksOf(DOCUMENT)));
      }),
    );
  });

  test("keeps what is done as it is", () => {
    const growing = new GrowingMarkdown(() => 0);
    let before: readonly Block[] = [];
    for (let end = 1; end <= DOCUMENT.length; end += 1) {
      growing.update(DOCUMENT.slice(0, end));
      for (const [index, block] of before.entries()) assert.equal(growing.done[index], block);
      before = growing.done;
    }
    assert.ok(before.length > 10);
  });

  test("loses nothing of the text", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("a", " ", "\n", "\n\n", "# ", "- ", "> ", "```", "|", "*", "\t")),
        (parts) => {
          const growing = new GrowingMarkdown(() => 0);
          let text = "";
          for (const part of parts) {
            text += part;
            growing.update(text);
          }
          const blocks = [...growing.done, ...growing.open];
          const raw = blocks.map(({ token }) => token.raw).join("");
          assert.equal(raw.replaceAll(/\s/g, ""), text.replaceAll(/\s/g, ""));
        },
      ),
    );
  });

  test("rests after a text that was slow to read", () => {
    let now = 0;
    const growing = new GrowingMarkdown(() => {
      now += 5;
      return now;
    });
    growing.update("one");
    assert.equal(growing.readAfter, null);
    growing.update("one two");
    assert.deepEqual(kinds(growing.open), ["paragraph one"]);
    assert.ok((growing.readAfter ?? 0) > 0, "what was not read is known to be read later, whatever comes");
    now += 20;
    growing.update("one two three");
    assert.deepEqual(kinds(growing.open), ["paragraph one two three"]);
    assert.equal(growing.readAfter, null);
  });

  test("a text that is another one begins anew", () => {
    const growing = new GrowingMarkdown(() => 0);
    growing.update("one\n\ntwo\n\nthree");
    growing.update("four");
    assert.deepEqual(kinds([...growing.done, ...growing.open]), ["paragraph four"]);
  });
});
