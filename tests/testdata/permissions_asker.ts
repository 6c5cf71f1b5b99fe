/**
 * Prints whether each of the queries is granted, and the flags that `permissionFlags` makes here of each of the
 * permissions, or null if it refuses them. `modules` has the modules that a child with those permissions loads.
 */

import {
  type ChildPermissions,
  permissionFlags,
} from "../../internal/handoff/permissions.ts";
import { OSError } from "../../internal/base/errors.ts";

const { queries, permissions, modules } = JSON.parse(Deno.args[0]);

function granted(query: Deno.PermissionDescriptor): boolean {
  const { state, partial } = Deno.permissions.querySync(query) as {
    state: string;
    partial?: boolean;
  };
  return state === "granted" && !partial;
}

function flags(permissions: ChildPermissions, i: number): string[] | null {
  try {
    return permissionFlags(permissions, modules[i]);
  } catch (error) {
    if (error instanceof OSError) return null;
    throw error;
  }
}

console.log(JSON.stringify({
  may: queries.map(granted),
  flags: permissions.map(flags),
}));
