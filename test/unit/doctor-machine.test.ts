import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { buildCheck } from "../../src/cli/doctor/build-check.js";
import { diskCheck } from "../../src/cli/doctor/disk-check.js";
import { limitsCheck } from "../../src/cli/doctor/limits-check.js";
import { memoryCheck } from "../../src/cli/doctor/memory-check.js";
import { nativeCheck } from "../../src/cli/doctor/native-check.js";
import { look, lookForOne } from "../support/doctor-context.js";
import { type FakeMachine, fakeSystem, nativeReport } from "../support/fake-system.js";

const GIB = 2 ** 30;
const LIBRARIES = "/opt/exo-native/build/Release";

const cpu = nativeReport().devices;
const gpu = { name: "CUDA0", description: "a card", kind: "gpu", memoryFree: 23 * GIB, memoryTotal: 24 * GIB } as const;

function machineWith(report: Partial<ReturnType<typeof nativeReport>>, more: FakeMachine = {}): FakeMachine {
  return { ...more, native: { works: true, ...nativeReport(report) } };
}

describe("doctor: Node and the tools of a build", () => {
  test("a new Node is in order, an old one a problem", async () => {
    assert.equal((await lookForOne(buildCheck, { nodeVersion: "20.17.0" })).severity, "ok");
    assert.equal((await lookForOne(buildCheck, { nodeVersion: "24.0.0" })).severity, "ok");
    const old = await lookForOne(buildCheck, { nodeVersion: "20.9.1" });
    assert.equal(old.severity, "problem");
    assert.match(old.detail, /20\.17 or newer/);
  });

  test("tools are looked for only where the addon does not work", async () => {
    const missing = "Building exo-native needs git (not found): install it with: sudo apt install git";
    assert.equal((await look(buildCheck, { missingTools: [missing] })).length, 1);
    const native = { works: false, reason: "no such file" } as const;
    const [, tool] = await look(buildCheck, { native, missingTools: [missing] });
    assert.deepEqual(
      [tool?.id, tool?.severity, tool?.title, tool?.mend],
      ["build.tools", "problem", "Building exo-native needs git (not found)", "sudo apt install git"],
    );
    assert.equal((await look(buildCheck, { native }))[1]?.severity, "ok");
  });
});

describe("doctor: the native addon", () => {
  const findingOf = async (id: string, machine: FakeMachine, flags = {}) => {
    return (await look(nativeCheck, machine, { flags })).find((finding) => finding.id === id);
  };

  test("one that does not open is a problem with the reason", async () => {
    const reason = "The process that opened it was ended by SIGILL.";
    const finding = await lookForOne(nativeCheck, { native: { works: false, reason } });
    assert.deepEqual([finding.severity, finding.detail], ["problem", reason]);
  });

  test("which CPU variant is used and of how many, and a basic one as a warning", async () => {
    const variants = ["haswell", "x64", "zen4"].map((name) => [`${LIBRARIES}/libggml-cpu-${name}.so`, ""]);
    const files = Object.fromEntries(variants);
    const good = await findingOf("native.cpu", machineWith({}, { files }));
    assert.equal(good?.severity, "ok");
    assert.match(good?.title ?? "", /a processor, 8 threads, ggml variant haswell$/);
    assert.match(good?.detail ?? "", /"haswell" was chosen of 3/);
    const basic = await findingOf(
      "native.cpu",
      machineWith({ loaded: [`${LIBRARIES}/libggml-cpu-x64.so`] }, { files }),
    );
    assert.equal(basic?.severity, "warning");
    assert.match(basic?.mend ?? "", /-cpu host/);
    const compiled = await findingOf("native.cpu", machineWith({ loaded: [] }));
    assert.match(compiled?.detail ?? "", /compiled for this machine/);
  });

  test("a graphics card that is used", async () => {
    const finding = await findingOf("native.gpu", machineWith({ devices: [...cpu, gpu] }));
    assert.deepEqual([finding?.severity, finding?.title], ["ok", "Graphics: CUDA0 (a card, 24.0 GiB)"]);
  });

  test("a card without a backend among the libraries", async () => {
    const smi = "nvidia-smi --query-gpu=name,driver_version --format=csv,noheader";
    const nvidia = await findingOf("native.gpu", { commands: { [smi]: "NVIDIA H200, 570.86\n" } });
    assert.equal(nvidia?.severity, "warning");
    assert.match(nvidia?.detail ?? "", /NVIDIA H200, driver 570\.86: .*no backend/);
    const slot = "/sys/bus/pci/devices/0000:01:00.0";
    const amd = { [`${slot}/class`]: "0x030000\n", [`${slot}/vendor`]: "0x1002\n" };
    assert.match(
      (await findingOf("native.gpu", { files: amd }))?.detail ?? "",
      /AMD at 0000:01:00\.0, without a driver/,
    );
    const intel = { [`${slot}/class`]: "0x030000\n", [`${slot}/vendor`]: "0x8086\n" };
    assert.equal((await findingOf("native.gpu", { files: intel }))?.severity, "note");
    const network = { [`${slot}/class`]: "0x020000\n", [`${slot}/vendor`]: "0x10de\n" };
    assert.equal((await findingOf("native.gpu", { files: network }))?.severity, "ok");
  });

  test("a backend that cannot be opened: which library is missing and what brings it", async () => {
    const file = `${LIBRARIES}/libggml-cuda.so`;
    const ldd = (line: string) => ({ [`ldd ${file}`]: `\tlibc.so.6 => /lib/libc.so.6 (0x1)\n\t${line}\n` });
    const files = { [file]: "" };
    const driver = await findingOf("native.gpu", { files, commands: ldd("libcuda.so.1 => not found") });
    assert.equal(driver?.severity, "warning");
    assert.match(driver?.detail ?? "", /needs libcuda\.so\.1/);
    assert.match(driver?.mend ?? "", /NVIDIA's driver/);
    const toolkit = await findingOf("native.gpu", { files, commands: ldd("libcublas.so.12 => not found") });
    assert.match(toolkit?.mend ?? "", /CUDA toolkit/);
    const opened = await findingOf("native.gpu", machineWith({ loaded: [file] }, { files }));
    assert.match(opened?.detail ?? "", /found no device/);
  });

  test("--device is held against what is here", async () => {
    const machine = machineWith({ devices: [...cpu, gpu] });
    assert.equal((await findingOf("native.device", machine, { device: "cuda:0" }))?.title, "--device: CUDA0");
    const wrong = await findingOf("native.device", machine, { device: "cuda:1" });
    assert.equal(wrong?.severity, "problem");
    assert.match(wrong?.detail ?? "", /no device "cuda:1" here; this node has cpu, CUDA0/);
  });
});

describe("doctor: memory, limits and disk", () => {
  test("free memory by device, and where a control group limits it", async () => {
    const finding = await lookForOne(memoryCheck, machineWith({ devices: [...cpu, gpu] }));
    assert.equal(finding.title, "Memory: RAM 18.0 GiB of 24.0 GiB free; CUDA0 23.0 GiB of 24.0 GiB free");
    const files = {
      "/proc/meminfo": "MemTotal:       25165824 kB\n",
      "/proc/self/cgroup": "0::/system.slice/exo-native.service\n",
      "/sys/fs/cgroup/system.slice/exo-native.service/memory.max": "max\n",
      "/sys/fs/cgroup/system.slice/memory.max": "8589934592\n",
    };
    const limited = await lookForOne(memoryCheck, { files });
    assert.equal(limited.detail, "The control group /system.slice may use at most 8.00 GiB.");
  });

  test("little memory is a warning", async () => {
    const small = cpu.map((device) => ({ ...device, memoryFree: GIB / 2 }));
    const finding = await lookForOne(memoryCheck, machineWith({ devices: small }));
    assert.equal(finding.severity, "warning");
    assert.match(finding.title, /RAM 512\.0 MiB of 24\.0 GiB free/);
  });

  test("--memory above what is free has no effect", async () => {
    const [, fits] = await look(memoryCheck, {}, { flags: { memory: "4GiB" } });
    assert.equal(fits?.severity, "ok");
    const [, above] = await look(memoryCheck, {}, { flags: { memory: "64GiB" } });
    assert.deepEqual([above?.id, above?.severity], ["memory.cap", "warning"]);
  });

  test("an addon that does not work has a finding of its own", async () => {
    assert.deepEqual(await look(memoryCheck, { native: { works: false, reason: "" } }), []);
  });

  const limits = (files: string, locked: string) =>
    `Limit                     Soft Limit           Hard Limit           Units     \n` +
    `Max open files            ${files}                 524288               files     \n` +
    `Max locked memory         ${locked}              8388608              bytes     \n`;

  test("open files on Linux, and locked memory with --mlock alone", async () => {
    const machine = { files: { "/proc/self/limits": limits("256", "8388608") } };
    const [files, ...none] = await look(limitsCheck, machine);
    assert.deepEqual([files?.id, files?.severity, none.length], ["limits.files", "warning", 0]);
    const [, locked] = await look(limitsCheck, machine, { flags: { mlock: true } });
    assert.equal(locked?.severity, "warning");
    assert.match(locked?.title ?? "", /8\.00 MiB may be locked/);
    assert.match(locked?.mend ?? "", /LimitMEMLOCK=infinity/);
  });

  test("no limit, and a process that may lock whatever the limit", async () => {
    const mlock = { flags: { mlock: true } };
    const wide = { files: { "/proc/self/limits": limits("unlimited", "unlimited") } };
    assert.deepEqual(
      (await look(limitsCheck, wide, mlock)).map(({ title }) => title),
      ["Open files: any number", "--mlock: all memory may be locked"],
    );
    const status = "Name:\tnode\nCapEff:\t0000000000004000\n";
    const capable = { files: { "/proc/self/limits": limits("4096", "65536"), "/proc/self/status": status } };
    assert.equal((await look(limitsCheck, capable, mlock))[1]?.severity, "ok");
  });

  test("limits on macOS come from the shell", async () => {
    const machine = { platform: "darwin" as const, commands: { "sh -c ulimit -n; ulimit -l": "256\nunlimited\n" } };
    const [files, locked] = await look(limitsCheck, machine, { flags: { mlock: true } });
    assert.deepEqual([files?.severity, locked?.severity], ["warning", "ok"]);
  });

  test("disk: room, little room, and no permission", async () => {
    assert.deepEqual(
      (await look(diskCheck, {})).map(({ severity }) => severity),
      ["ok", "ok"],
    );
    const [, little] = await look(diskCheck, { freeBytes: GIB });
    assert.equal(little?.severity, "warning");
    const [, unknown] = await look(diskCheck, { freeBytes: null });
    assert.equal(unknown?.severity, "warning");
    const [refused] = await look(diskCheck, { readOnly: ["/home/user/.cache/exo-native/models"] });
    assert.equal(refused?.severity, "problem");
    assert.match(refused?.title ?? "", /may not write to \/home\/user\/\.cache\/exo-native\/models$/);
  });

  test("a machine of a test lists its files like a real one", async () => {
    const system = fakeSystem({ files: { "/a/b/c": "1", "/a/d": "2" }, links: { "/a/b/e": "/x" } });
    assert.deepEqual(await system.list("/a"), ["b", "d"]);
    assert.deepEqual(await system.list("/a/b"), ["c", "e"]);
    assert.deepEqual(await system.list("/z"), []);
  });
});
