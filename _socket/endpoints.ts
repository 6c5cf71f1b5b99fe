/**
 * The socket types, protocols and ports that a caller of `getaddrinfo` asks for.
 *
 * @module
 */

import {
  AI_NUMERICSERV,
  IPPROTO_TCP,
  IPPROTO_UDP,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "./constants.ts";
import { gaiError, type Question } from "./lookup.ts";
import { portOf } from "./services.ts";

/** Socket types and their protocols, in the order of getaddrinfo(3). */
const KINDS = [[SOCK_STREAM, IPPROTO_TCP], [SOCK_DGRAM, IPPROTO_UDP]] as const;

/** One kind of socket, with the port of the service there. */
export type Endpoint = [type: number, proto: number, port: number];

/** The kinds of sockets that fit, at least one. */
export function endpointsOf(
  question: Question<string | null>,
  port: string | number | null,
  type: number,
  proto: number,
  flags: number,
): Endpoint[] {
  const number = portNumber(question, port);
  if (number === undefined && flags & AI_NUMERICSERV) {
    throw gaiError("EAI_NONAME", question, {
      reason: `port "${port}" is not a number`,
    });
  }
  const kinds = KINDS.filter(([t, p]) =>
    [t, 0].includes(type) && [p, 0].includes(proto)
  );
  if (kinds.length === 0) {
    const reason = `no socket has type ${type} and protocol ${proto}`;
    throw gaiError(type === 0 ? "EAI_SERVICE" : "EAI_SOCKTYPE", question, {
      reason,
    });
  }
  const endpoints = kinds.flatMap(([t, p]): Endpoint[] => {
    const found = number ?? portOf(String(port), p);
    return found === undefined ? [] : [[t, p, found]];
  });
  if (endpoints.length > 0) return endpoints;
  throw gaiError("EAI_SERVICE", question, {
    reason: `service "${port}" is not known`,
  });
}

/** The number that `port` stands for; undefined for the name of a service. */
function portNumber(
  question: Question<string | null>,
  port: string | number | null,
): number | undefined {
  if (port === null || port === "") return 0;
  if (typeof port !== "string" && !Number.isInteger(port)) {
    const doing = `Cannot ${question.syscall} ${JSON.stringify(question.host)}`;
    throw new TypeError(
      `${doing}: port must be an integer, a string or null, got ${port}`,
    );
  }
  if (!/^[ \t]*\+?\d+$/.test(String(port))) return undefined; // strtoul(3) takes blanks and "+" too
  if (Number(port) > 65535) {
    throw gaiError("EAI_SERVICE", question, {
      reason: `port ${port} is not 0 to 65535`,
    });
  }
  return Number(port);
}
