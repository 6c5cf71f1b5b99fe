/**
 * Bytes, and strings that stand for them.
 *
 * @module
 */

/** Bytes. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes as a string of as many characters, which a `Map` can have as a key. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

/** The bytes of such a string. */
export function fromLatin1(text: string): Bytes {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
