/**
 * The oldest Deno that works.
 *
 * @module
 */

/** Below Deno 2.8, workers (2.7.1) and children (2.6.8) hang at their first request. */
const OLDEST = [2, 8] as const;

/** Throws if a version of Deno is too old. */
export function checkDenoVersion(version: string): void {
  const [major, minor] = version.split(".").map(Number);
  if (major > OLDEST[0] || major === OLDEST[0] && minor >= OLDEST[1]) return;
  throw new Error(
    `Cannot run on Deno ${version}: socketserver needs Deno ${
      OLDEST.join(".")
    } or later`,
  );
}

checkDenoVersion(Deno.version.deno);
