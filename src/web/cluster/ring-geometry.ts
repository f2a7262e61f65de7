/** A point of the drawing in percent of its width and height, so that it fits whatever room there is. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface RingGeometry {
  /** Centre of each stage's card, the head first, clockwise. */
  readonly stages: readonly Point[];
  /** The way from each stage to the next one, the last one's leading back to the head; none in a ring of one. */
  readonly edges: readonly EdgeGeometry[];
}

export interface EdgeGeometry {
  /** SVG path in a view box of 100 by 100. */
  readonly path: string;
  /** Half-way, for the label. */
  readonly middle: Point;
  /** Of travel at the middle, degrees clockwise from pointing right. */
  readonly direction: number;
}

/** More cards than these do not fit around an ellipse without lying over each other; they are listed. */
export const MOST_AROUND = 6;

const CENTRE = 50;
/** Half axes: what half a card leaves of half the drawing. */
const RADIUS_X = 34;
const RADIUS_Y = 32;

/** Where the cards of a ring stand, and the arcs between them. */
export function ringGeometry(count: number): RingGeometry {
  if (count <= 1) return { stages: [{ x: CENTRE, y: CENTRE }].slice(0, count), edges: [] };
  const step = (2 * Math.PI) / count;
  // Two stand side by side; of more the head is at the top.
  const first = count === 2 ? -Math.PI : -Math.PI / 2;
  const pointAt = (turns: number): Point => onEllipse(first + turns * step);
  const indices = Array.from({ length: count }, (_, index) => index);
  return {
    stages: indices.map(pointAt),
    edges: indices.map((index) => ({
      path: arc(pointAt(index), pointAt(index + 1)),
      middle: pointAt(index + 0.5),
      direction: direction(first + (index + 0.5) * step),
    })),
  };
}

function onEllipse(angle: number): Point {
  return { x: rounded(CENTRE + RADIUS_X * Math.cos(angle)), y: rounded(CENTRE + RADIUS_Y * Math.sin(angle)) };
}

/** Clockwise, which is the positive direction of angles where y grows downwards. */
function arc(from: Point, to: Point): string {
  return `M ${from.x} ${from.y} A ${RADIUS_X} ${RADIUS_Y} 0 0 1 ${to.x} ${to.y}`;
}

function direction(angle: number): number {
  return rounded((Math.atan2(RADIUS_Y * Math.cos(angle), -RADIUS_X * Math.sin(angle)) * 180) / Math.PI);
}

/** Without a negative zero. */
function rounded(value: number): number {
  return Math.round(value * 100) / 100 + 0;
}
