/**
 * Conditions on the version that a client has: RFC 9110, section 13.
 *
 * @module
 */

/** A version of a file: its entity tag, and the time of its last change. */
export interface Version {
  etag: string;
  /** The date in the format of HTTP, without milliseconds; undefined if the system does not know it. */
  modified: string | undefined;
}

type Headers = ReadonlyMap<string, string>;

/** Describes the version of a file. */
export function versionOf({ size, mtime }: Deno.FileInfo): Version {
  const time = (mtime?.getTime() ?? 0).toString(36);
  const etag = `"${time}-${size.toString(36)}"`;
  return { etag, modified: mtime?.toUTCString() };
}

/**
 * Evaluates the conditions of a GET or HEAD, in the order of section 13.2.2.
 *
 * @returns 200, 304 if the client has this version, or 412 if it wants another.
 */
export function evaluate(headers: Headers, version: Version): 200 | 304 | 412 {
  const match = headers.get("if-match");
  const noneMatch = headers.get("if-none-match");
  if (match !== undefined) {
    if (!lists(match, version.etag, false)) return 412;
  } else if (isUntil(headers.get("if-unmodified-since"), version) === false) {
    return 412;
  }
  // A date beside an entity tag is ignored.
  const known = noneMatch !== undefined
    ? lists(noneMatch, version.etag, true)
    : isUntil(headers.get("if-modified-since"), version);
  return known ? 304 : 200;
}

/** Reports whether a range may be sent: If-Range names this version, or is missing. */
export function isRangeWanted(headers: Headers, version: Version): boolean {
  const condition = headers.get("if-range");
  return condition === undefined || condition === version.etag ||
    condition === version.modified;
}

/** Reports whether an entity tag is in a list; a weak one (`W/"..."`) counts only if `weak`. */
function lists(list: string, etag: string, weak: boolean): boolean {
  if (list === "*") return true;
  const tags = list.matchAll(/(W\/)?("[!#-~\x80-\xff]*")/g);
  return tags.some(([, mark, tag]) => tag === etag && (weak || !mark));
}

/** Reports whether a version is not newer than a date; undefined without a valid date. */
function isUntil(
  date: string | undefined,
  { modified }: Version,
): boolean | undefined {
  const limit = parseDate(date ?? "");
  if (modified === undefined || Number.isNaN(limit)) return undefined;
  return Date.parse(modified) <= limit;
}

const DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
const TIME = "\\d\\d:\\d\\d:\\d\\d";
/** The current format, and the format of RFC 850. */
const GMT_DATE = new RegExp(
  `^(?:${DAY}, \\d\\d ${MONTH} \\d{4}|${DAY}[a-z]+, \\d\\d-${MONTH}-\\d\\d) ${TIME} GMT$`,
);
/** The format of asctime in C. */
const ASCTIME = new RegExp(`^${DAY} ${MONTH} [ \\d]\\d ${TIME} \\d{4}$`);

/** Returns milliseconds since 1970; NaN for an invalid date. */
function parseDate(text: string): number {
  if (GMT_DATE.test(text)) return Date.parse(text);
  return ASCTIME.test(text) ? Date.parse(`${text} GMT`) : NaN;
}
