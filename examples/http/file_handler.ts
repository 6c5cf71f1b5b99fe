/**
 * A directory over HTTP.
 *
 * @module
 */

import mime from "npm:mime@4.1.0/lite";
import { HttpError } from "./errors.ts";
import { find, type Found, list, segmentsOf } from "./files.ts";
import { BaseHTTPRequestHandler } from "./handler.ts";

/** Sends the files of a directory, and lists of what is in it. */
export class FileHTTPRequestHandler extends BaseHTTPRequestHandler {
  /** The directory, without links: what `Deno.realPath` gives. */
  static directory = "/var/empty";

  /** Sends a file, or a part of it, or the list of a directory. */
  async doGET(): Promise<void> {
    const segments = segmentsOf(this.path);
    const { directory } = this.constructor as typeof FileHTTPRequestHandler;
    const found = await find(directory, segments);
    const asDirectory = /\/(?:[?#].*)?$/.test(this.path);
    if (!found.info.isDirectory) {
      if (asDirectory) throw new HttpError(404);
      return await this.#sendFile(found);
    }
    if (!asDirectory) return await this.#redirect(segments);
    const index = await find(directory, [...segments, "index.html"])
      .catch(() => undefined);
    if (index?.info.isFile) return await this.#sendFile(index);
    const page = await list(found.path, `/${segments.join("/")}`);
    await this.respond(200, { "Content-Type": "text/html" }, page);
  }

  /** To the same with a slash, so that relative links work. Never to `//host`. */
  async #redirect(segments: string[]): Promise<void> {
    const path = segments.map(encodeURIComponent).join("/");
    await this.respond(301, { "Location": `/${path}/` });
  }

  async #sendFile({ path, info }: Found): Promise<void> {
    const modified = info.mtime?.toUTCString() ?? "";
    const headers: Record<string, string> = {
      "Content-Type": mime.getType(path) ?? "application/octet-stream",
      "Accept-Ranges": "bytes",
      ...modified && { "Last-Modified": modified },
    };
    if (this.#isKnown(info.mtime)) return await this.respond(304, headers);
    const range = this.#range(info.size, modified);
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

  /** Whether the client has this version. */
  #isKnown(modified: Date | null): boolean {
    const since = Date.parse(this.headers.get("if-modified-since") ?? "");
    return modified !== null &&
      Math.floor(modified.getTime() / 1000) * 1000 <= since;
  }

  /** The part of a file that was asked for, behind its end: RFC 9110, section 14. Several are not given. */
  #range(size: number, modified: string): [number, number] | undefined {
    const condition = this.headers.get("if-range");
    if (condition !== undefined && condition !== modified) return undefined;
    const asked = /^bytes=(\d{0,15})-(\d{0,15})$/i
      .exec(this.headers.get("range") ?? "");
    if (asked === null || asked[0] === "bytes=-") return undefined;
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
