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

/** Sends the files and the listings of a directory. */
export class FileHTTPRequestHandler extends BaseHTTPRequestHandler {
  /** The directory without links, as `Deno.realPath` returns it. */
  static directory = "/var/empty";

  /** Sends a file, a part of it, or the listing of a directory. */
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

  /** Redirects to the same path with a slash, so that relative links work, and never to `//host`. */
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
   * Returns the requested part of a file, and undefined for the whole: RFC 9110, section 14. Several parts, and a
   * part for HEAD, are not supported.
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

/** Splits a target into the path, and the query with its question mark. */
function splitQuery(target: string): [path: string, query: string] {
  const at = target.indexOf("?");
  return at < 0 ? [target, ""] : [target.slice(0, at), target.slice(at)];
}
