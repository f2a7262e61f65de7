/** Code, and a name in it that is to be changed. */
export interface CodeSnippet {
  readonly code: string;
  readonly name: string;
  readonly newName: string;
}

/** One for each round of a whole run, the warm-up included. */
export const CODE_SNIPPETS: readonly CodeSnippet[] = [
  {
    name: "items",
    newName: "entries",
    code: `function groupBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}`,
  },
  {
    name: "numbers",
    newName: "samples",
    code: `function describe(numbers) {
  if (numbers.length === 0) throw new Error("no numbers");
  let total = 0;
  for (const value of numbers) total += value;
  const mean = total / numbers.length;
  let squares = 0;
  for (const value of numbers) squares += (value - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / numbers.length) };
}`,
  },
  {
    name: "path",
    newName: "file",
    code: `async function readSettings(path) {
  let text;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw new Error("cannot read " + path, { cause: error });
  }
  return JSON.parse(text);
}`,
  },
  {
    name: "node",
    newName: "tree",
    code: `function insert(node, key, value) {
  if (node === null) return { key, value, left: null, right: null };
  if (key < node.key) {
    node.left = insert(node.left, key, value);
  } else if (key > node.key) {
    node.right = insert(node.right, key, value);
  } else {
    node.value = value;
  }
  return node;
}`,
  },
  {
    name: "socket",
    newName: "connection",
    code: `function serve(port, answer) {
  const server = createServer((socket) => {
    let received = "";
    socket.setEncoding("utf8");
    socket.on("data", (text) => {
      received += text;
      if (received.includes("\\n")) socket.end(answer(received.trim()));
    });
    socket.on("error", () => socket.destroy());
  });
  return server.listen(port);
}`,
  },
  {
    name: "limit",
    newName: "capacity",
    code: `class Cache {
  constructor(limit) {
    this.limit = limit;
    this.values = new Map();
  }

  set(key, value) {
    this.values.delete(key);
    this.values.set(key, value);
    if (this.values.size <= this.limit) return;
    this.values.delete(this.values.keys().next().value);
  }
}`,
  },
];
