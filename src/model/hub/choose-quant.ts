import { basename } from "node:path";

/** Files of a repository that are one model in one quantisation, in order. */
export interface QuantChoice {
  /** As the name spells it, in capitals, e.g. `Q4_K_M` or `UD-Q4_K_XL`; "" when the name has none. */
  readonly quant: string;
  readonly files: readonly string[];
}

/** What is taken when nobody says: what most people run first, then what comes near it. */
const PREFERENCE = [
  "Q4_K_M",
  "UD-Q4_K_XL",
  "Q4_K_L",
  "Q4_K_S",
  "Q4_0",
  "MXFP4",
  "IQ4_XS",
  "IQ4_NL",
  "Q5_K_M",
  "Q5_K_S",
  "Q5_0",
];
const FURTHER = [
  "Q6_K",
  "Q8_0",
  "Q3_K_M",
  "Q3_K_L",
  "IQ3_M",
  "Q3_K_S",
  "IQ3_XXS",
  "Q2_K",
  "IQ2_M",
  "BF16",
  "F16",
  "F32",
];
const ORDER: readonly string[] = [...PREFERENCE, ...FURTHER];

/** The name's own word for its number format, at the end or before a part number. */
const QUANT =
  /(?:^|[-._/])((?:UD-)?(?:I?Q\d(?:_[A-Z0-9]+)*|TQ\d_\d|MXFP4(?:_[A-Z0-9]+)*|NVFP4|BF16|FP?16|FP?32))(?=[-._]|$)/gi;
const PART = /^(?<stem>.+)-(?<part>\d{5})-of-(?<parts>\d{5})$/;
/** Files beside the model: image encoders, importance matrices, vocabularies, draft heads. */
const BESIDE = /(^|[-._])(mmproj|imatrix|vocab|mtp)([-._]|$)/i;

export function quantOf(path: string): string {
  const stem = path.replace(/\.gguf$/i, "").replace(/-\d{5}-of-\d{5}$/, "");
  const found = [...stem.matchAll(QUANT)].at(-1)?.[1] ?? "";
  return found.toUpperCase().replace(/^FP(16|32)$/, "F$1");
}

/** Every model among a repository's files; a model in parts counts only when all of them are there. */
export function quantChoices(paths: readonly string[]): readonly QuantChoice[] {
  const models = paths.filter((path) => /\.gguf$/i.test(path) && !BESIDE.test(basename(path)));
  const present = new Set(models);
  const choices: QuantChoice[] = [];
  for (const path of models) {
    const files = partsOf(path);
    if (files[0] === path && files.every((file) => present.has(file))) choices.push({ quant: quantOf(path), files });
  }
  return choices.sort(
    (a, b) => rankOf(a.quant) - rankOf(b.quant) || (a.files[0] ?? "").localeCompare(b.files[0] ?? ""),
  );
}

/** All files of the model that this one is a part of; itself when it is whole. */
export function partsOf(path: string): readonly string[] {
  const groups = PART.exec(path.replace(/\.gguf$/i, ""))?.groups;
  const count = Number(groups?.parts ?? 0);
  if (groups === undefined || count === 0) return [path];
  const number = (part: number): string => String(part).padStart(5, "0");
  return Array.from({ length: count }, (_, index) => `${groups.stem}-${number(index + 1)}-of-${groups.parts}.gguf`);
}

/**
 * The choices that a wish leaves. A quantisation is wished by its exact name; without a wish the first by preference is
 * taken. More than one left: the same quantisation of several models.
 */
export function matchingChoices(choices: readonly QuantChoice[], wish: string | null): readonly QuantChoice[] {
  const quant = wish?.toUpperCase().replace(/^FP(16|32)$/, "F$1") ?? choices[0]?.quant;
  return choices.filter((choice) => choice.quant === quant);
}

function rankOf(quant: string): number {
  const rank = ORDER.indexOf(quant);
  return rank < 0 ? ORDER.length : rank;
}
