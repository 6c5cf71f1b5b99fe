/**
 * What is going on, on the screen.
 *
 * @module
 */

const terminal = Deno.stderr.isTerminal();
const encoder = new TextEncoder();

/** Says what happens now; where the screen is a terminal, in the place of the last such line. */
export function progress(text: string): void {
  if (!terminal) return;
  Deno.stderr.writeSync(encoder.encode(`\r\x1b[K  ${text}`));
}

/** Says something that stays. */
export function say(text: string): void {
  if (terminal) Deno.stderr.writeSync(encoder.encode("\r\x1b[K"));
  console.error(text);
}
