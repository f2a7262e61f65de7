import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { areCoresShared, type ComputingNode, type CoreUser, coreShares } from "../../src/planning/core-share.js";

const user = (id: string, cores: readonly number[], machine = "desk"): CoreUser => ({ id, machine, cores });

const sharesOf = (...nodes: readonly CoreUser[]): Record<string, number> => Object.fromEntries(coreShares(nodes));

describe("cores of a machine", () => {
  test("all go to a node that is alone", () => {
    assert.deepEqual(sharesOf(user("a", [0, 1, 2, 3])), { a: 4 });
    assert.deepEqual(sharesOf(user("a", [0, 1], "desk"), user("b", [0, 1], "attic")), { a: 2, b: 2 });
  });

  test("are divided among its nodes, none left over", () => {
    assert.deepEqual(sharesOf(user("a", [0, 1]), user("b", [0, 1])), { a: 1, b: 1 });
    assert.deepEqual(sharesOf(user("b", [0, 2, 4]), user("a", [0, 2, 4])), { a: 2, b: 1 });
  });

  test("stay with a node that is tied to cores of its own", () => {
    assert.deepEqual(sharesOf(user("a", [0, 1]), user("b", [2, 3])), { a: 2, b: 2 });
    assert.deepEqual(sharesOf(user("a", [0, 1]), user("b", [0])), { a: 1, b: 1 });
  });

  test("are one at least", () => {
    assert.deepEqual(sharesOf(user("a", [0]), user("b", [0]), user("c", [])), { a: 1, b: 1, c: 1 });
  });

  test("are not divided with nodes of which nobody knows where they run", () => {
    assert.deepEqual(sharesOf(user("a", [0, 1], ""), user("b", [0, 1], "")), { a: 2, b: 2 });
  });

  const nodes = fc.uniqueArray(
    fc.record({
      id: fc.string({ minLength: 1, maxLength: 8 }),
      machine: fc.constantFrom("desk", "attic"),
      cores: fc.uniqueArray(fc.nat(15), { minLength: 1 }),
    }),
    { minLength: 1, maxLength: 8, selector: (node) => node.id },
  );

  test("are never given twice where there are enough, and every node comes to the same result", () => {
    fc.assert(
      fc.property(nodes, (all) => {
        const shares = coreShares(all);
        assert.deepEqual(Object.fromEntries(coreShares([...all].reverse())), Object.fromEntries(shares));
        for (const machine of ["desk", "attic"]) {
          const here = all.filter((node) => node.machine === machine);
          const cores = new Set(here.flatMap((node) => node.cores)).size;
          const given = here.reduce((sum, node) => sum + (shares.get(node.id) ?? 0), 0);
          assert.ok(given <= Math.max(cores, cores + here.length - 1), `${given} of ${cores}`);
          for (const node of here) assert.ok((shares.get(node.id) ?? 0) >= 1);
          if (here.every((node) => node.cores.length === cores)) {
            assert.equal(given, Math.max(cores, here.length));
          }
        }
      }),
    );
  });
});

describe("nodes of a machine are in each other's way", () => {
  const node = (
    id: string,
    cores: readonly number[],
    decode: number | null,
    batch: number | null = null,
  ): ComputingNode => ({
    ...user(id, cores),
    threads: { decode, batch },
  });
  const both = [0, 1];

  test("when they have more threads than cores together", () => {
    assert.equal(areCoresShared(node("a", both, 2), [node("b", [1], 1)]), true);
    assert.equal(areCoresShared(node("a", both, 1), [node("b", both, 1)]), false);
    assert.equal(areCoresShared(node("a", both, 1, 2), [node("b", both, 1)]), true);
    assert.equal(areCoresShared(node("a", [0], 1), [node("b", [0], 1)]), true);
  });

  test("but not where each has its part", () => {
    assert.equal(areCoresShared(node("a", both, null), [node("b", both, null)]), false);
  });

  test("and only with nodes of the same machine", () => {
    const elsewhere = { ...node("b", both, 2), machine: "attic" };
    assert.equal(areCoresShared(node("a", both, 2), [elsewhere]), false);
    assert.equal(areCoresShared(node("a", both, 4), []), false);
    const unknown = { ...node("b", both, 2), machine: "" };
    assert.equal(areCoresShared({ ...node("a", both, 2), machine: "" }, [unknown]), false);
  });
});
