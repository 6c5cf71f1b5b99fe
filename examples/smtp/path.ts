/**
 * The arguments of MAIL and RCPT (RFC 5321, section 4.1.2).
 *
 * @module
 */

/** An address and the parameters after it. */
export interface Path {
  /** The address; "" for that of a notice nobody shall answer. */
  readonly address: string;
  /** The parameters, by names in capitals. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** The address between angle brackets, without a route before it: printable characters, or a quoted string. */
const PATH =
  /^(\w+): ?<(?:@[^<>:]*:)?((?:"(?:[^"\\]|\\.)*"|[!#-;=?-~])*)>(?: +(.*))?$/;

/** Parses `FROM:<address>` or `TO:<address>`, with parameters. Returns undefined if it is no such argument. */
export function parsePath(
  argument: string,
  word: "FROM" | "TO",
): Path | undefined {
  const [, name, address, rest = ""] = PATH.exec(argument) ?? [];
  if (name?.toUpperCase() !== word || address.length > 256) return undefined;
  const words = rest.split(/ +/).filter((word) => word !== "");
  const parameters = new Map(words.map((word) => {
    const [name, ...value] = word.split("=");
    return [name.toUpperCase(), value.join("=")];
  }));
  return { address, parameters };
}
