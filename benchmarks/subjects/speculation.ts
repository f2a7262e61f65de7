/**
 * Arguments of `serve` that switch drafts on or off. Unless asked for they are off: what a model says to a prompt of a few
 * tokens soon repeats itself, and drafts would flatter every figure.
 */
export function speculationArguments(wanted: boolean | undefined): readonly string[] {
  return ["--speculation", wanted === true ? "auto" : "off"];
}
