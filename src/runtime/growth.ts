/**
 * What `now` adds to the text that was shown. A parser that takes back what it found (an unfinished tag, say) adds
 * nothing until it passes it.
 */
export function growth(shown: string, now: string): string {
  return now.startsWith(shown) ? now.slice(shown.length) : "";
}
