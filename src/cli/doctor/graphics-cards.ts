import type { DoctorSystem } from "./system.js";

export interface GraphicsCard {
  readonly name: string;
  /** One with memory of its own; the processor's graphics gain little. */
  readonly isFast: boolean;
}

/** Graphics cards that the system sees, whether or not anything can compute on them. */
export async function findGraphicsCards(system: DoctorSystem): Promise<readonly GraphicsCard[]> {
  const nvidia = await nvidiaCards(system);
  if (nvidia.length > 0) return nvidia;
  return system.platform === "linux" ? pciCards(system) : [];
}

/** Comes with NVIDIA's driver, on Linux and on Windows. */
async function nvidiaCards(system: DoctorSystem): Promise<readonly GraphicsCard[]> {
  const result = await system.run("nvidia-smi", ["--query-gpu=name,driver_version", "--format=csv,noheader"]);
  if (result?.code !== 0) return [];
  return result.stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [name = "", driver = ""] = line.split(",").map((field) => field.trim());
      return { name: `${name}, driver ${driver}`, isFast: true };
    });
}

/** PCI vendors by number. */
const VENDORS: Readonly<Record<string, { readonly name: string; readonly isFast: boolean }>> = {
  "0x10de": { name: "NVIDIA", isFast: true },
  "0x1002": { name: "AMD", isFast: true },
  "0x8086": { name: "Intel", isFast: false },
};

/** PCI class 03: display controllers. */
async function pciCards(system: DoctorSystem): Promise<readonly GraphicsCard[]> {
  const devices = "/sys/bus/pci/devices";
  const found = (await system.list(devices)).map(async (slot): Promise<GraphicsCard | null> => {
    const kind = await system.readText(`${devices}/${slot}/class`);
    if (kind?.startsWith("0x03") !== true) return null;
    const vendor = VENDORS[(await system.readText(`${devices}/${slot}/vendor`))?.trim() ?? ""];
    if (vendor === undefined) return null;
    const hasDriver = (await system.readLink(`${devices}/${slot}/driver`)) !== null;
    return { name: `${vendor.name} at ${slot}${hasDriver ? "" : ", without a driver"}`, isFast: vendor.isFast };
  });
  return (await Promise.all(found)).filter((card) => card !== null);
}
