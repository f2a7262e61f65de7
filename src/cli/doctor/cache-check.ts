import { join } from "node:path";
import { formatByteSize } from "../../config/byte-size.js";
import { type CacheEntry, readEntry } from "../../model/model-cache.js";
import type { Check } from "./check.js";
import type { DoctorContext } from "./context.js";
import { type Finding, note, ok, warning } from "./finding.js";
import type { DoctorSystem } from "./system.js";

/** Whether the models that are kept here are whole, by their sizes; their bytes are for `models verify`. */
export const cacheCheck: Check = {
  subject: "the models kept here",
  run: async ({ config, system }: DoctorContext) => {
    const directories = await modelDirectories(config.paths.modelsDir, system);
    const entries = await Promise.all(directories.map(async (at) => ({ at, entry: await readable(at) })));
    const known = entries.flatMap(({ entry }) => (entry === null ? [] : [entry]));
    const damaged = entries.filter(({ entry }) => entry === null).map(({ at }) => at);
    return [
      whole(known),
      ...known.filter(({ complete }) => !complete).map(incomplete),
      ...damaged.map(unreadable),
      ...(await Promise.all(known.map((entry) => lostParts(entry, system)))).flat(),
    ];
  },
};

/** Directories with something in them; locks stand beside the directories that they are of. */
async function modelDirectories(modelsDir: string, system: DoctorSystem): Promise<readonly string[]> {
  const names = (await system.list(modelsDir)).filter((name) => !name.startsWith(".") && !name.endsWith(".lock"));
  const paths = names.toSorted().map((name) => join(modelsDir, name));
  const contents = await Promise.all(paths.map((path) => system.list(path)));
  return paths.filter((_, index) => (contents[index] ?? []).length > 0);
}

/** `null`: it has no manifest that can be read. */
function readable(directory: string): Promise<CacheEntry | null> {
  return readEntry(directory).catch(() => null);
}

function whole(entries: readonly CacheEntry[]): Finding {
  const complete = entries.filter((entry) => entry.complete);
  const bytes = complete.reduce((sum, entry) => sum + entry.bytes, 0);
  if (complete.length === 0) return ok("cache", "No model is kept here yet");
  const names = complete.map(({ manifest }) => manifest.id).join(", ");
  return ok(
    "cache",
    `Models: ${complete.length} kept here, ${formatByteSize(bytes)}`,
    `${names}. Sizes are right; npx exo-native models verify compares every byte.`,
  );
}

/** A map of parts that cannot be read: the parts take space, and nothing knows which they are. */
async function lostParts(
  { directory, complete, partial }: CacheEntry,
  system: DoctorSystem,
): Promise<readonly Finding[]> {
  const maps = complete ? [] : (await system.list(directory)).filter((name) => name.endsWith(PARTS_MAP));
  const lost = maps.map((name) => name.slice(0, -PARTS_MAP.length)).filter((file) => !partial.has(file));
  return lost.map((file) =>
    warning(
      "cache.damaged",
      `What is kept of ${file} cannot be used`,
      `${join(directory, file + PARTS_MAP)}, which says what parts of it are here, cannot be read. They are fetched again.`,
      `rm '${join(directory, file)}' '${join(directory, file + PARTS_MAP)}'`,
    ),
  );
}

const PARTS_MAP = ".ranges.json";

function incomplete({ manifest, bytes, total, partial }: CacheEntry): Finding {
  const { id, spec, completedAt } = manifest;
  const mend = `npx exo-native models pull '${spec}' goes on with it, npx exo-native models rm ${id} frees the space`;
  if (partial.size > 0) {
    const amount = total === null ? formatByteSize(bytes) : `${formatByteSize(bytes)} of ${formatByteSize(total)}`;
    const detail = "A node of a ring keeps only its own layers, so this may be all that it needs.";
    return note("cache.incomplete", `${id} is kept in part (${amount})`, detail, mend);
  }
  if (completedAt === null)
    return note("cache.incomplete", `${id} is fetched in part (${formatByteSize(bytes)})`, "", mend);
  return warning(
    "cache.incomplete",
    `${id} was complete and lacks something now (${formatByteSize(bytes)} are here)`,
    "A file is missing or has another size. The next use fetches it again.",
    mend,
  );
}

function unreadable(directory: string): Finding {
  return warning(
    "cache.damaged",
    "What is kept of a model cannot be used",
    `${directory} has no manifest that can be read, so nothing knows what it holds; it takes space.`,
    `rm -r '${directory}'`,
  );
}
