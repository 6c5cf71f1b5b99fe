/**
 * The numbers of BSD sockets, as Linux has them. The sockets interpret them itself, so that
 * one number serves on every system.
 *
 * @module
 */

/** Address family of IPv4: an address is `[host, port]`. */
export const AF_INET = 2;
/** Address family of IPv6: an address is `[host, port]`. */
export const AF_INET6 = 10;
/** Address family of Unix domain sockets: an address is a path. */
export const AF_UNIX = 1;
/** "Any family", for {@linkcode getaddrinfo} only. */
export const AF_UNSPEC = 0;

/** A stream of bytes: TCP, or a Unix stream socket. */
export const SOCK_STREAM = 1;
/** Datagrams: UDP, or a Unix datagram socket. */
export const SOCK_DGRAM = 2;

/** `recv` flag: return the data and leave it to be read again. */
export const MSG_PEEK = 0x2;
/** `recv` flag: this call does not wait, whatever the timeout says. */
export const MSG_DONTWAIT = 0x40;
/** `recv` flag: wait until all bytes asked for are there, or the end. */
export const MSG_WAITALL = 0x100;

/** `shutdown`: no further reading. */
export const SHUT_RD = 0;
/** `shutdown`: no further writing; the peer sees the end of the stream. */
export const SHUT_WR = 1;
/** `shutdown`: neither. */
export const SHUT_RDWR = 2;

/** Option level of the socket itself. */
export const SOL_SOCKET = 1;
/** Option level, and protocol number, of IPv4. */
export const IPPROTO_IP = 0;
/** Option level, and protocol number, of TCP. */
export const IPPROTO_TCP = 6;
/** Protocol number of UDP. */
export const IPPROTO_UDP = 17;
/** Option level, and protocol number, of IPv6. */
export const IPPROTO_IPV6 = 41;

/** Socket option: bind to an address whose old connections linger. Always on in Deno. */
export const SO_REUSEADDR = 2;
/** Socket option, read only: the socket's type. */
export const SO_TYPE = 3;
/** Socket option, read only: the errno of the last failure that no call has reported; reading clears it. */
export const SO_ERROR = 4;
/** Socket option: send to broadcast addresses. */
export const SO_BROADCAST = 6;
/** Socket option: bytes of the send buffer; UDP over `node:dgram` only. */
export const SO_SNDBUF = 7;
/** Socket option: bytes of the receive buffer; UDP over `node:dgram` only. */
export const SO_RCVBUF = 8;
/** Socket option: probe a silent peer. */
export const SO_KEEPALIVE = 9;
/** Socket option: several sockets may bind to one port. */
export const SO_REUSEPORT = 15;
/** Socket option, read only: 1 when the socket listens. */
export const SO_ACCEPTCONN = 30;

/** TCP option: send small segments at once (Nagle's algorithm off). */
export const TCP_NODELAY = 1;

/** IPv4 option: how many hops a multicast packet may take, 0-255. */
export const IP_MULTICAST_TTL = 33;
/** IPv4 option: whether own multicast packets come back to this host. */
export const IP_MULTICAST_LOOP = 34;
/** IPv4 option: join a multicast group; the value is `[group, interface]` or a packed `ip_mreq`. */
export const IP_ADD_MEMBERSHIP = 35;
/** IPv4 option: leave a multicast group; the value is `[group, interface]` or a packed `ip_mreq`. */
export const IP_DROP_MEMBERSHIP = 36;
/** IPv6 option: whether an IPv6 socket refuses IPv4. Cannot be set from Deno. */
export const IPV6_V6ONLY = 26;

/** The largest backlog that Linux grants by default (`net.core.somaxconn`). */
export const SOMAXCONN = 4096;

/** {@linkcode getaddrinfo} flag: addresses to bind to. */
export const AI_PASSIVE = 0x1;
/** {@linkcode getaddrinfo} flag: fill in the canonical name. */
export const AI_CANONNAME = 0x2;
/** {@linkcode getaddrinfo} flag: the host is a literal address, ask no resolver. */
export const AI_NUMERICHOST = 0x4;
/** {@linkcode getaddrinfo} flag: only families that this machine has. Accepted, and ignored. */
export const AI_ADDRCONFIG = 0x20;
/** {@linkcode getaddrinfo} flag: the port is a number. */
export const AI_NUMERICSERV = 0x400;

/** {@linkcode getnameinfo} flag: give the address, not a name. */
export const NI_NUMERICHOST = 1;
/** {@linkcode getnameinfo} flag: give the port, not a service. */
export const NI_NUMERICSERV = 2;
/** {@linkcode getnameinfo} flag: fail when there is no name. */
export const NI_NAMEREQD = 8;
/** {@linkcode getnameinfo} flag: the service is one of UDP. */
export const NI_DGRAM = 16;

/** {@linkcode GaiError} code: the address has no such family. */
export const EAI_ADDRFAMILY: number = -9;
/** {@linkcode GaiError} code: a name server failed for now. */
export const EAI_AGAIN: number = -3;
/** {@linkcode GaiError} code: the flags are not supported. */
export const EAI_BADFLAGS: number = -1;
/** {@linkcode GaiError} code: a name server failed for good. */
export const EAI_FAIL: number = -4;
/** {@linkcode GaiError} code: the family is not supported. */
export const EAI_FAMILY: number = -6;
/** {@linkcode GaiError} code: host or service not known. */
export const EAI_NONAME: number = -2;
/** {@linkcode GaiError} code: the socket type is not supported. */
export const EAI_SOCKTYPE: number = -7;
/** {@linkcode GaiError} code: the service is not known for this type. */
export const EAI_SERVICE: number = -8;
