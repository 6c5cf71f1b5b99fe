/**
 * The parts of `Deno` that the rooms above use and that are not about sockets: files, permissions, errors and printing.
 *
 * @module
 */

/** A class of `Deno.errors`. */
type DenoErrorClass = new (message: string, options?: ErrorOptions) => Error;

/** The classes of errors that Deno throws, by their full names, such as `Deno.errors.NotFound`. */
export const DENO_ERRORS: ReadonlyMap<string, DenoErrorClass> = new Map(
  Object.entries(Deno.errors).map(([name, Class]): [string, DenoErrorClass] => [
    `Deno.errors.${name}`,
    Class,
  ]),
);

/** Counts the position of a file from its start; a `Deno.SeekMode`. */
export const SEEK_SET: number = Deno.SeekMode.Start;

/** Returns a value as text, as the console shows it. */
export function inspect(value: unknown, options?: Deno.InspectOptions): string {
  return Deno.inspect(value, options);
}

/** Opens a file for reading. The caller closes it. */
export async function openForReading(path: string | URL): Promise<Deno.FsFile> {
  return await Deno.open(path);
}

/** Opens a file for reading, and blocks meanwhile. The caller closes it. */
export function openForReadingSync(path: string | URL): Deno.FsFile {
  return Deno.openSync(path);
}

/** The state of a permission; `partial` says that a part of it is denied. */
export interface PermissionState {
  readonly state: "granted" | "prompt" | "denied";
  readonly partial?: boolean;
}

/** Returns the state of a permission of this process. `descriptor` is a `Deno.PermissionDescriptor`. */
export function queryPermission(descriptor: object): PermissionState {
  return Deno.permissions.querySync(descriptor as Deno.PermissionDescriptor);
}

/** Reports whether this process has all of a permission. */
export function hasPermission(descriptor: object): boolean {
  const { state, partial } = queryPermission(descriptor);
  return state === "granted" && !partial;
}

/** Reports whether `deno compile` made this program. */
export function isStandalone(): boolean {
  return Deno.build.standalone;
}
