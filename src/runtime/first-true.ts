/** The first of `count` places from which on the condition holds, `count` where it never does; asks at few of them. */
export function firstTrue(count: number, holds: (at: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
