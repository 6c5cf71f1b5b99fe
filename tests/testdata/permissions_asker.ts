/**
 * Says what it may do: an answer for each query in the first argument. With a second one, says what
 * `permissionFlags` makes of each of those permissions here, or null where it refuses them; a third one has the modules
 * that the child loads.
 */

import {
  type ChildPermissions,
  permissionFlags,
} from "../../internal/handoff/permissions.ts";
import { OSError } from "../../internal/base/errors.ts";

const [queries, permissions = "[]", modules = "[]"] = Deno.args;

function granted(query: Deno.PermissionDescriptor): boolean {
  const { state, partial } = Deno.permissions.querySync(query) as {
    state: string;
    partial?: boolean;
  };
  return state === "granted" && !partial;
}

function flags(permissions: ChildPermissions): string[] | null {
  try {
    return permissionFlags(permissions, JSON.parse(modules));
  } catch (error) {
    if (error instanceof OSError) return null;
    throw error;
  }
}

console.log(JSON.stringify({
  may: JSON.parse(queries).map(granted),
  flags: JSON.parse(permissions).map(flags),
}));
