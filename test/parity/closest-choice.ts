import { ask } from "./ask.js";
import type { Shape } from "./shapes.js";

/**
 * How far apart the two best tokens were where they were closest (natural logarithm). Where a grammar or a penalty made
 * another choice than the best, nothing is known.
 */
export async function closestChoice(url: string, { path, body }: Shape): Promise<number> {
  if (path === "/v1/responses") return Number.POSITIVE_INFINITY;
  const two = path === "/v1/completions" ? { logprobs: 2 } : { logprobs: true, top_logprobs: 2 };
  const { choices } = await ask(url, { path, body: { ...body, ...two } });
  const gaps = choices
    .flatMap(({ tokens }) => tokens ?? [])
    .map(({ logprob, top: [best, second] }) => {
      const isBest = best !== undefined && second !== undefined && logprob === best[1];
      return isBest ? best[1] - second[1] : Number.POSITIVE_INFINITY;
    });
  return Math.min(Number.POSITIVE_INFINITY, ...gaps);
}
