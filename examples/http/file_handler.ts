/**
 * A directory over HTTP.
 *
 * @module
 */

import mime from "npm:mime@4.1.0/lite";
import {
  evaluate,
  isRangeWanted,
  type Version,
  versionOf,
} from "./conditions.ts";
import { HttpError } from "./errors.ts";
import { find, type Found, list, segmentsOf } from "./files.ts";
import { BaseHTTPRequestHandler } from "./handler.ts";

/** Sends the files of a directory, and lists of what is in it. */
export class FileHTTPRequestHandler extends BaseHTTPRequestHandler {
  /** The directory, without links: what `Deno.realPath` gives. */
  static directory = "/var/empty";

  /** Sends a file, or a part of it, or the list of a directory. */
  async doGET(): Promise<void> {
    const [path, query] = splitQuery(this.path);
    const segments = segmentsOf(path);
    const { directory } = this.constructor as typeof FileHTTPRequestHandler;
    const found = await find(directory, segments);
    const asDirectory = path.endsWith("/");
    if (!found.info.isDirectory) {
      if (asDirectory) throw new HttpError(404);
      return await this.#sendFile(found);
    }
    if (!asDirectory) return await this.#redirect(segments, query);
    const index = await find(directory, [...segments, "index.html"])
      .catch(() => undefined);
    if (index?.info.isFile) return await this.#sendFile(index);
    const page = await list(found.path, `/${segments.join("/")}`);
    await this.respond(200, { "Content-Type": "text/html" }, page);
  }

  /** To the same with a slash, so that relative links work. Never to `//host`. */
  async #redirect(segments: string[], query: string): Promise<void> {
    const path = segments.map(encodeURIComponent).join("/");
    await this.respond(301, { "Location": `/${path}/${query}` });
  }

  async #sendFile({ path, info }: Found): Promise<void> {
    const version = versionOf(info);
    const { etag, modified } = version;
    const validators: Record<string, string> = {
      "ETag": etag,
      ...modified && { "Last-Modified": modified },
    };
    const condition = evaluate(this.headers, version);
    if (condition === 412) throw new HttpError(412);
    if (condition === 304) return await this.respond(304, validators);
    const headers: Record<string, string> = {
      "Content-Type": mime.getType(path) ?? "application/octet-stream",
      "Accept-Ranges": "bytes",
      ...validators,
    };
    const range = this.#range(info.size, version);
    const [start, end] = range ?? [0, info.size];
    if (range !== undefined) {
      headers["Content-Range"] = `bytes ${start}-${end - 1}/${info.size}`;
    }
    if (start === end) return await this.respond(200, headers);
    using file = await Deno.open(path);
    await this.respond(range === undefined ? 200 : 206, headers, {
      size: end - start,
      send: async ({ connection }) => {
        const sent = await connection.sendfile(file, start, end - start);
        if (sent < end - start) throw new Error(`${path} has become shorter`);
      },
    });
  }

  /**
   * The part of a file that was asked for, behind its end: RFC 9110, section 14. Several are not given, and to
   * HEAD none is.
   */
  #range(size: number, version: Version): [number, number] | undefined {
    if (this.command !== "GET") return undefined;
    if (!isRangeWanted(this.headers, version)) return undefined;
    const asked = /^bytes=(\d{0,15})-(\d{0,15})$/i
      .exec(this.headers.get("range") ?? "");
    if (asked === null || asked[0].endsWith("=-")) return undefined;
    const [, first, last] = asked;
    const start = first === "" ? Math.max(0, size - Number(last)) : +first;
    const end = first === "" || last === "" ? size : Math.min(+last + 1, size);
    if (last !== "" && first !== "" && +last < +first) return undefined;
    if (start >= end) {
      const headers = { "Content-Range": `bytes */${size}` };
      throw new HttpError(416, undefined, headers);
    }
    return [start, end];
  }
}

/** The path of a target, and the query with its question mark. */
function splitQuery(target: string): [path: string, query: string] {
  const at = target.indexOf("?");
  return at < 0 ? [target, ""] : [target.slice(0, at), target.slice(at)];
}
