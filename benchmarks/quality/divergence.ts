/** Natural logarithms of the probabilities that these logits stand for. */
export function logProbabilities(logits: Float32Array): Float64Array {
  let highest = -Infinity;
  for (const logit of logits) highest = Math.max(highest, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - highest);
  const normalizer = highest + Math.log(sum);
  return Float64Array.from(logits, (logit) => logit - normalizer);
}

/**
 * Kullback-Leibler divergence in nats: what is lost by taking `other` for `exact`; 0 where both are the same. Both are
 * logarithms of probabilities.
 */
export function klDivergence(exact: Float64Array, other: Float64Array): number {
  let sum = 0;
  exact.forEach((log, index) => {
    if (log > -Infinity) sum += Math.exp(log) * (log - (other[index] ?? -Infinity));
  });
  // The sum of many small terms of both signs may come out a little below what it can be.
  return Math.max(0, sum);
}

/** Of the probabilities that were given to what the text really says. */
export function perplexity(logProbabilitiesOfText: readonly number[]): number {
  const sum = logProbabilitiesOfText.reduce((total, log) => total + log, 0);
  return Math.exp(-sum / logProbabilitiesOfText.length);
}

export function indexOfLargest(numbers: Float64Array): number {
  return numbers.reduce((best, value, index) => (value > (numbers[best] ?? -Infinity) ? index : best), 0);
}
