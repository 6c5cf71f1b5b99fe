/**
 * Says what it may do: an answer for each of the queries. Says too what `permissionFlags` makes of each of the
 * permissions here, or null where it refuses them; beside them are the modules that the child loads.
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
