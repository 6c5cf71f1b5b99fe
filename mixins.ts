/**
 * The mix-ins of Python's `socketserver`, and the server classes made with them. A mix-in decides how requests run: as
 * tasks on the event loop ({@linkcode AsyncMixIn}), in Web Workers ({@linkcode ThreadingMixIn}) or in child processes
 * ({@linkcode ForkingMixIn}).
 *
 * @module
 */

export type { MixedIn } from "./internal/mixins/mixed_in.ts";
export {
  AsyncMixIn,
  AsyncTCPServer,
  AsyncUDPServer,
  AsyncUnixDatagramServer,
  AsyncUnixStreamServer,
} from "./internal/mixins/async_servers.ts";
export type { BlockingHandlerConstructor } from "./internal/mixins/threading_servers.ts";
export {
  ThreadingMixIn,
  ThreadingTCPServer,
  ThreadingUDPServer,
  ThreadingUnixDatagramServer,
  ThreadingUnixStreamServer,
} from "./internal/mixins/threading_servers.ts";
export type { ForkingMixInOptions } from "./internal/mixins/forking_servers.ts";
export {
  ForkingMixIn,
  ForkingTCPServer,
  ForkingUDPServer,
  ForkingUnixDatagramServer,
  ForkingUnixStreamServer,
} from "./internal/mixins/forking_servers.ts";
export type { ChildPermissions } from "./internal/handoff/permissions.ts";
export type {
  CollectOptions,
  ForkingOptions,
} from "./internal/children/forking_options.ts";
export type {
  ConcurrentServer,
  MixInOptions,
  MixInStatics,
  ServerConstructor,
} from "./internal/server/concurrent.ts";
export type { MaxConnectionsPolicy } from "./internal/server/request_registry.ts";
export type { ThreadingOptions } from "./internal/workers/threading.ts";
export type { ResourceLimits } from "./internal/workers/resource_limits.ts";
export type { WorkerServer } from "./internal/server/stages.ts";
