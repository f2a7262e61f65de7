/** Asks again until the check passes, or the time is up and its last failure is thrown. */
export async function eventually(check: () => Promise<void>, milliseconds = 15_000): Promise<void> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    try {
      await check();
      return;
    } catch (thrown) {
      if (performance.now() > deadline) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
