import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeGguf, type GgufTensor } from "./gguf-writer.js";
import { tinyMetadata, tinyTensors } from "./tiny-gguf.js";

const LAYERS = 2;
const WIDTH = 64;
const INNER = 128;
const KERNEL = 4;
const STATE = 16;
const RANK = 4;

/** Writes a mamba with random weights: a recurrent state instead of a KV cache. `remove` deletes it. */
export function writeTinyMamba(): { readonly path: string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), "exo-native-mamba-"));
  const path = join(directory, "mamba.gguf");
  const metadata = {
    ...tinyMetadata({ architecture: "mamba", layers: LAYERS, width: WIDTH }),
    "mamba.ssm.conv_kernel": { type: "u32", value: KERNEL },
    "mamba.ssm.inner_size": { type: "u32", value: INNER },
    "mamba.ssm.state_size": { type: "u32", value: STATE },
    "mamba.ssm.time_step_rank": { type: "u32", value: RANK },
  } as const;
  const ends = tinyTensors({ layers: 0, width: WIDTH });
  writeFileSync(path, encodeGguf(metadata, [...ends, ...Array.from({ length: LAYERS }, (_, il) => layer(il)).flat()]));
  return { path, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

function layer(index: number): GgufTensor[] {
  const name = (part: string): string => `blk.${index}.${part}`;
  const filled = (part: string, shape: number[], value: (at: number) => number): GgufTensor => ({
    name: name(part),
    shape,
    data: Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, at) => value(at)),
  });
  /** Between -1 and 1, the same in every run. */
  const wave = (at: number): number => Math.sin(12.9898 * (at + 1) + 4.1 * index);
  const scaled = (scale: number) => (at: number) => scale * wave(at);
  return [
    filled("attn_norm.weight", [WIDTH], () => 1),
    filled("ssm_in.weight", [WIDTH, 2 * INNER], scaled(0.2)),
    filled("ssm_conv1d.weight", [KERNEL, INNER], scaled(0.5)),
    filled("ssm_conv1d.bias", [INNER], () => 0),
    filled("ssm_x.weight", [INNER, RANK + 2 * STATE], scaled(0.2)),
    filled("ssm_dt.weight", [RANK, INNER], scaled(0.5)),
    filled("ssm_dt.bias", [INNER], () => -1),
    // Decay rates: below 0, or the state would grow without end.
    filled("ssm_a", [STATE, INNER], (at) => -1 - (at % STATE)),
    filled("ssm_d", [INNER], () => 1),
    filled("ssm_out.weight", [INNER, WIDTH], scaled(0.2)),
  ];
}
