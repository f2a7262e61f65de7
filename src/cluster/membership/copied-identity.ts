/** Two processes with one id, as a sentence and its remedy. */
export function copiedIdentity(id: string, one: string, other: string): string {
  return (
    `${other} has the same id as ${one} (${id}): both read one identity file, copied or shared. Give one of them a directory ` +
    "of its own (EXO_NATIVE_HOME), or remove the file machine-id there (in ~/.config/exo-native), and start it again."
  );
}
