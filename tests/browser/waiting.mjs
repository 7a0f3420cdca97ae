// Waiting for a condition with a deadline: the only way in which these tests let time pass.

import { setTimeout as pause } from "node:timers/promises";

export { pause };

/** The moment this many milliseconds from now. */
export function deadline(milliseconds) {
  return performance.now() + milliseconds;
}

/**
 * Waits until `condition` gives something truthy, and returns that.
 *
 * @template T
 * @param {string} what for the error: "waited in vain for …"
 * @param {number} end from {@link deadline}
 * @param {() => T | Promise<T>} condition asked every 20 ms; what it throws ends the wait
 * @param {() => unknown} [evidence] what to show when the wait was in vain
 * @returns {Promise<T>}
 */
export async function until(what, end, condition, evidence = () => "") {
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) {
      const shown = await evidence();
      throw new Error(`waited in vain for ${what}${shown ? `; so far: ${JSON.stringify(shown, null, 1)}` : ""}`);
    }
    await pause(20);
  }
}

/** Gives what `promise` gives, or fails at the deadline naming what was waited for. */
export async function within(what, end, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), Math.max(0, end - performance.now()));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
