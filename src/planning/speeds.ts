/** Most rows of a pass that count as few, as the next tokens of streams are; a prompt has more. */
export const FEW_ROWS = 16;

/** How long one compute pass of so many rows takes. */
export interface PassTime {
  readonly rows: number;
  readonly seconds: number;
}

/** What the layers of one kind take: those whose tensors have the same shapes and types. */
export interface LayerSpeed {
  /** One layer, with an empty cache; rising in rows. */
  readonly passes: readonly PassTime[];
  /** Seconds that each cached token adds to one row in one layer, in passes of at most `FEW_ROWS` rows. */
  readonly perCachedToken: number;
  /** The same in passes of more rows, which share what is read of the cache. */
  readonly perCachedTokenOfMany: number;
}

/** What the parts of one model take on one node with the threads and devices it has, as measured there. */
export interface ModelSpeed {
  readonly kinds: readonly LayerSpeed[];
  /** For each layer, its index in `kinds`. */
  readonly kindOfLayer: readonly number[];
  /** Final norm and output head, by the rows that they are computed for. */
  readonly output: readonly PassTime[];
  /** What every pass costs beside its layers: the embedding on the head, inputs, a start of the graph. Seconds. */
  readonly perPass: number;
}

/** What a way from one node to another takes. */
export interface LinkSpeed {
  readonly from: string;
  readonly to: string;
  /** One way, for a small message, with what a hop is known to cost at both ends. */
  readonly seconds: number;
  readonly bytesPerSecond: number;
}

/** What was measured of a topology, for one model; nodes and links that are missing were not measured. */
export interface Speeds {
  /** By node id. */
  readonly nodes: ReadonlyMap<string, ModelSpeed>;
  readonly links: readonly LinkSpeed[];
}
