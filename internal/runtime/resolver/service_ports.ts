/**
 * The ports of services, and the kinds of sockets that they use.
 *
 * @module
 */

import {
  AI_NUMERICSERV,
  IPPROTO_TCP,
  IPPROTO_UDP,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../../base/constants.ts";
import { gaiError, type Question } from "./dns.ts";

type Row = readonly [
  port: number,
  protocols: string,
  name: string,
  ...aliases: string[],
];

/**
 * Deno offers no look-up of services, so the common ones are listed here.
 * Source: the IANA service name registry, with the aliases and protocols of Debian's netbase.
 */
const SERVICES: readonly Row[] = [
  [7, "tcp udp", "echo"],
  [9, "tcp udp", "discard", "sink", "null"],
  [13, "tcp udp", "daytime"],
  [17, "tcp", "qotd", "quote"],
  [19, "tcp udp", "chargen", "ttytst", "source"],
  [20, "tcp", "ftp-data"],
  [21, "tcp", "ftp"],
  [22, "tcp", "ssh"],
  [23, "tcp", "telnet"],
  [25, "tcp", "smtp", "mail"],
  [37, "tcp udp", "time", "timserver"],
  [43, "tcp", "whois", "nicname"],
  [53, "tcp udp", "domain"],
  [67, "udp", "bootps"],
  [68, "udp", "bootpc"],
  [69, "udp", "tftp"],
  [70, "tcp", "gopher"],
  [79, "tcp", "finger"],
  [80, "tcp", "http", "www"],
  [88, "tcp udp", "kerberos", "kerberos5", "krb5", "kerberos-sec"],
  [110, "tcp", "pop3", "pop-3"],
  [111, "tcp udp", "sunrpc", "portmapper"],
  [113, "tcp", "auth", "authentication", "tap", "ident"],
  [119, "tcp", "nntp", "readnews", "untp"],
  [123, "udp", "ntp"],
  [137, "udp", "netbios-ns"],
  [138, "udp", "netbios-dgm"],
  [139, "tcp", "netbios-ssn"],
  [143, "tcp", "imap2", "imap"],
  [161, "tcp udp", "snmp"],
  [162, "tcp udp", "snmp-trap", "snmptrap"],
  [179, "tcp", "bgp"],
  [389, "tcp udp", "ldap"],
  [443, "tcp udp", "https"],
  [445, "tcp", "microsoft-ds"],
  [465, "tcp", "submissions", "ssmtp", "smtps", "urd"],
  [500, "udp", "isakmp"],
  [514, "tcp", "shell", "cmd", "syslog"],
  [514, "udp", "syslog"],
  [515, "tcp", "printer", "spooler"],
  [546, "udp", "dhcpv6-client"],
  [547, "udp", "dhcpv6-server"],
  [554, "tcp udp", "rtsp"],
  [563, "tcp", "nntps", "snntp"],
  [587, "tcp", "submission"],
  [631, "tcp", "ipp"],
  [636, "tcp udp", "ldaps"],
  [853, "tcp udp", "domain-s"],
  [873, "tcp", "rsync"],
  [989, "tcp", "ftps-data"],
  [990, "tcp", "ftps"],
  [992, "tcp", "telnets"],
  [993, "tcp", "imaps"],
  [995, "tcp", "pop3s"],
  [1080, "tcp", "socks"],
  [1194, "tcp udp", "openvpn"],
  [1433, "tcp", "ms-sql-s"],
  [1812, "tcp udp", "radius"],
  [1813, "tcp udp", "radius-acct", "radacct"],
  [2049, "tcp udp", "nfs"],
  [3306, "tcp", "mysql"],
  [3389, "tcp", "ms-wbt-server"],
  [4500, "udp", "ipsec-nat-t"],
  [5060, "tcp udp", "sip"],
  [5061, "tcp udp", "sip-tls"],
  [5222, "tcp", "xmpp-client", "jabber-client"],
  [5269, "tcp", "xmpp-server", "jabber-server"],
  [5353, "udp", "mdns"],
  [5432, "tcp", "postgresql", "postgres"],
  [5671, "tcp", "amqps"],
  [5672, "tcp", "amqp"],
  [6379, "tcp", "redis"],
  [6514, "tcp", "syslog-tls"],
  [6667, "tcp", "ircd"],
  [6697, "tcp", "ircs-u"],
  [8080, "tcp", "http-alt", "webcache"],
  [9418, "tcp", "git"],
];

/** Reports whether a service has a port with the protocol. */
function speaks([, protocols]: Row, protocol: number): boolean {
  return protocols.includes(protocol === IPPROTO_UDP ? "udp" : "tcp");
}

/** Returns the port of a service with `IPPROTO_TCP` or `IPPROTO_UDP`; undefined if it is not listed. */
export function portOf(service: string, protocol: number): number | undefined {
  return SERVICES.find((row) =>
    row.indexOf(service, 2) > 0 && speaks(row, protocol)
  )?.[0];
}

/** Returns the service at a port with `IPPROTO_TCP` or `IPPROTO_UDP`; undefined if none is listed. */
export function serviceOf(port: number, protocol: number): string | undefined {
  return SERVICES.find((row) => row[0] === port && speaks(row, protocol))?.[2];
}

/** Socket types and their protocols, in the order of getaddrinfo(3). */
const KINDS = [[SOCK_STREAM, IPPROTO_TCP], [SOCK_DGRAM, IPPROTO_UDP]] as const;

/** One kind of socket, with the port of the service there. */
export type Endpoint = [type: number, proto: number, port: number];

/** Returns the kinds of sockets that fit, at least one. */
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
  const kinds = kindsOf(question, type, proto);
  const endpoints = kinds.flatMap(([t, p]): Endpoint[] => {
    const found = number ?? portOf(String(port), p);
    return found === undefined ? [] : [[t, p, found]];
  });
  if (endpoints.length > 0) return endpoints;
  throw gaiError("EAI_SERVICE", question, {
    reason: `service "${port}" is not known`,
  });
}

/** Returns the kinds of sockets that have the type and the protocol; 0 is any. */
function kindsOf(
  question: Question<string | null>,
  type: number,
  proto: number,
): readonly (typeof KINDS)[number][] {
  const kinds = KINDS.filter(([t, p]) =>
    [t, 0].includes(type) && [p, 0].includes(proto)
  );
  if (kinds.length > 0) return kinds;
  const reason = `no socket has type ${type} and protocol ${proto}`;
  const code = type === 0 ? "EAI_SERVICE" : "EAI_SOCKTYPE";
  throw gaiError(code, question, { reason });
}

/** Returns the TCP port of a service: its name, or digits. */
export function tcpPort(question: Question, service: string): number {
  const [[, , port]] = endpointsOf(question, service, SOCK_STREAM, 0, 0);
  return port;
}

/** Returns the number of `port`; undefined for the name of a service. */
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
