/**
 * The variables of sd_listen_fds(3), by which a service manager names the sockets that it passes to a program.
 *
 * @module
 */

import { osError } from "../../base/translate_error.ts";
import { hasPermission } from "../system/deno_api.ts";

/** A descriptor that this process got from the one that started it. */
export interface InheritedDescriptor {
  /** The number. */
  readonly fd: number;
  /** The name: `FileDescriptorName=` of the unit. */
  readonly name: string;
}

/** The values of the variables. */
export interface ListenVariables {
  /** The number of descriptors. */
  readonly LISTEN_FDS?: string;
  /** The process that they are for. */
  readonly LISTEN_PID?: string;
  /** Their names, between colons. */
  readonly LISTEN_FDNAMES?: string;
}

/** The first descriptor that is passed: SD_LISTEN_FDS_START of sd-daemon.h. */
const FIRST = 3;

/** The name of a descriptor without one, as sd_listen_fds_with_names(3) has it. */
const UNNAMED = "unknown";

const VARIABLES = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] as const;

/** The descriptors, after the variables have been read and removed. */
let inherited: readonly InheritedDescriptor[] | undefined;

/**
 * Returns the descriptors that were passed to this process. The first call removes the variables, so that no program
 * that this one starts takes them for its own.
 *
 * @throws {PermissionError} if the variables may not be read.
 * @throws {OSError} EINVAL if they are for another process, or make no sense.
 */
export function inheritedDescriptors(): readonly InheritedDescriptor[] {
  return inherited ??= takeVariables();
}

function takeVariables(): InheritedDescriptor[] {
  for (const variable of VARIABLES) {
    if (hasPermission({ name: "env", variable })) continue;
    throw osError("EACCES", {
      syscall: "take the inherited sockets",
      reason: `run again with --allow-env=${VARIABLES.join(",")}`,
    });
  }
  const values = VARIABLES.map((name) => [name, Deno.env.get(name)]);
  const descriptors = parseListenFds(Object.fromEntries(values), Deno.pid);
  for (const name of VARIABLES) Deno.env.delete(name);
  return descriptors;
}

/**
 * Returns the descriptors of a process. Without LISTEN_PID they are for any process that has them; sd_listen_fds(3)
 * would ignore them.
 */
export function parseListenFds(
  { LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES }: ListenVariables,
  pid: number,
): InheritedDescriptor[] {
  if (LISTEN_FDS === undefined) return [];
  const count = numberOf("LISTEN_FDS", LISTEN_FDS);
  if (LISTEN_PID && numberOf("LISTEN_PID", LISTEN_PID) !== pid) {
    refuse(
      `LISTEN_PID is ${LISTEN_PID}, and this process is ${pid}: start deno itself, with exec in a shell script, ` +
        "and not through npx",
    );
  }
  const names = LISTEN_FDNAMES ? LISTEN_FDNAMES.split(":") : [];
  if (LISTEN_FDNAMES && names.length !== count) {
    refuse(
      `LISTEN_FDNAMES is "${LISTEN_FDNAMES}", but LISTEN_FDS is ${LISTEN_FDS}`,
    );
  }
  return Array.from(
    { length: count },
    (_, index) => ({ fd: FIRST + index, name: names[index] || UNNAMED }),
  );
}

function numberOf(name: string, value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value);
  refuse(`${name} must be a number, got "${value}"`);
}

function refuse(reason: string): never {
  throw osError("EINVAL", { syscall: "take the inherited sockets", reason });
}
