/**
 * Bytes, and their form as strings.
 *
 * @module
 */

/** Bytes. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Returns bytes as a string of as many characters, which can be the key of a `Map`. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

/** Returns the bytes of such a string. */
export function fromLatin1(text: string): Bytes {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
