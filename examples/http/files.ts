/**
 * Finds the file for the path of a URL, in one directory and nowhere else.
 *
 * @module
 */

import { HttpError } from "./errors.ts";

/** A file or directory that may be sent. */
export interface Found {
  path: string;
  info: Deno.FileInfo;
}

/** Returns the decoded segments of the path of a URL. A path that leads elsewhere is not found. */
export function segmentsOf(path: string): string[] {
  const segments = path.split("/").filter((part) => part !== "" && part !== ".")
    .map(decode);
  for (const segment of segments) {
    if (segment === ".." || segment === "." || /[/\\\0]/.test(segment)) {
      throw new HttpError(404);
    }
  }
  return segments;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new HttpError(400, "that is no path");
  }
}

/**
 * Finds a file or a directory under a root. The target of a link must be under the root too.
 *
 * @throws {HttpError} 404 if there is none, or none that may be sent.
 */
export async function find(
  root: string,
  segments: string[],
): Promise<Found> {
  try {
    const path = await Deno.realPath([root, ...segments].join("/"));
    if (path !== root && !path.startsWith(root === "/" ? root : `${root}/`)) {
      throw new HttpError(404);
    }
    const info = await Deno.stat(path);
    if (info.isFile || info.isDirectory) return { path, info };
  } catch (error) {
    if (error instanceof HttpError || !isAbsent(error)) throw error;
  }
  throw new HttpError(404); // also for devices and pipes, which may never end
}

/** Reports whether an error means "not found" for a client. */
function isAbsent(error: unknown): boolean {
  return [
    Deno.errors.NotFound,
    Deno.errors.NotADirectory,
    Deno.errors.PermissionDenied,
    Deno.errors.NotCapable,
    Deno.errors.FilesystemLoop,
  ].some((Absent) => error instanceof Absent) ||
    /name too long/i.test(String(error));
}

/** A page that lists a directory. */
export async function list(path: string, title: string): Promise<string> {
  const entries = await Array.fromAsync(Deno.readDir(path));
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  const items = entries.map(({ name, isDirectory, isSymlink }) => {
    const end = isDirectory ? "/" : "";
    const shown = escape(name + (isSymlink ? "@" : end));
    return `<li><a href="./${
      encodeURIComponent(name)
    }${end}">${shown}</a></li>`;
  });
  return `<!DOCTYPE html>
<meta charset="utf-8">
<title>${escape(title)}</title>
<h1>${escape(title)}</h1>
<ul>
${items.join("\n")}
</ul>
`;
}

function escape(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
  };
  return text.replaceAll(/[&<>"]/g, (char) => entities[char]);
}
