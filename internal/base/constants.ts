/**
 * The numbers of BSD sockets, as on Linux. `Socket` interprets them itself, so they are the same on every system.
 *
 * @module
 */

/**
 * Address family of IPv4: an address is `[host, port]`.
 *
 * @category Constants
 */
export const AF_INET = 2;
/**
 * Address family of IPv6: an address is `[host, port]`.
 *
 * @category Constants
 */
export const AF_INET6 = 10;
/**
 * Address family of Unix domain sockets: an address is a path.
 *
 * @category Constants
 */
export const AF_UNIX = 1;
/**
 * Any address family, for {@linkcode getaddrinfo} only.
 *
 * @category Constants
 */
export const AF_UNSPEC = 0;

/**
 * A stream of bytes: TCP, or a Unix stream socket.
 *
 * @category Constants
 */
export const SOCK_STREAM = 1;
/**
 * Datagrams: UDP, or a Unix datagram socket.
 *
 * @category Constants
 */
export const SOCK_DGRAM = 2;

/**
 * `recv` flag: returns the data without removing it.
 *
 * @category Constants
 */
export const MSG_PEEK = 0x2;
/**
 * `recv` and `send` flag: the call does not wait, whatever the timeout.
 *
 * @category Constants
 */
export const MSG_DONTWAIT = 0x40;
/**
 * `recv` flag: waits for all requested bytes, or the end of the stream.
 *
 * @category Constants
 */
export const MSG_WAITALL = 0x100;

/**
 * `shutdown` of reading.
 *
 * @category Constants
 */
export const SHUT_RD = 0;
/**
 * `shutdown` of writing: the peer sees the end of the stream.
 *
 * @category Constants
 */
export const SHUT_WR = 1;
/**
 * `shutdown` of reading and writing.
 *
 * @category Constants
 */
export const SHUT_RDWR = 2;

/**
 * The option level of the socket itself.
 *
 * @category Constants
 */
export const SOL_SOCKET = 1;
/**
 * The option level and protocol number of IPv4.
 *
 * @category Constants
 */
export const IPPROTO_IP = 0;
/**
 * The option level and protocol number of TCP.
 *
 * @category Constants
 */
export const IPPROTO_TCP = 6;
/**
 * The protocol number of UDP.
 *
 * @category Constants
 */
export const IPPROTO_UDP = 17;
/**
 * The option level and protocol number of IPv6.
 *
 * @category Constants
 */
export const IPPROTO_IPV6 = 41;

/**
 * Socket option: binds to an address whose old connections linger. Always on in Deno for stream sockets.
 *
 * @category Constants
 */
export const SO_REUSEADDR = 2;
/**
 * Socket option, read only: the socket's type.
 *
 * @category Constants
 */
export const SO_TYPE = 3;
/**
 * Socket option, read only: the errno of the last failure that no call has reported; reading clears it.
 *
 * @category Constants
 */
export const SO_ERROR = 4;
/**
 * Socket option: allows sending to broadcast addresses.
 *
 * @category Constants
 */
export const SO_BROADCAST = 6;
/**
 * Socket option: the bytes of the send buffer. Only for UDP, and only without `--unstable-net`.
 *
 * @category Constants
 */
export const SO_SNDBUF = 7;
/**
 * Socket option: the bytes of the receive buffer. Only for UDP, and only without `--unstable-net`.
 *
 * @category Constants
 */
export const SO_RCVBUF = 8;
/**
 * Socket option: probes a silent peer.
 *
 * @category Constants
 */
export const SO_KEEPALIVE = 9;
/**
 * Socket option: lets several sockets bind to one port.
 *
 * @category Constants
 */
export const SO_REUSEPORT = 15;
/**
 * Socket option, read only: 1 if the socket listens.
 *
 * @category Constants
 */
export const SO_ACCEPTCONN = 30;

/**
 * TCP option: sends small segments at once (Nagle's algorithm off).
 *
 * @category Constants
 */
export const TCP_NODELAY = 1;

/**
 * IPv4 option: the most hops of a multicast packet, 0 to 255.
 *
 * @category Constants
 */
export const IP_MULTICAST_TTL = 33;
/**
 * IPv4 option: whether this host receives its own multicast packets.
 *
 * @category Constants
 */
export const IP_MULTICAST_LOOP = 34;
/**
 * IPv4 option: joins a multicast group; the value is `[group, interface]` or a packed `ip_mreq`.
 *
 * @category Constants
 */
export const IP_ADD_MEMBERSHIP = 35;
/**
 * IPv4 option: leaves a multicast group; the value is `[group, interface]` or a packed `ip_mreq`.
 *
 * @category Constants
 */
export const IP_DROP_MEMBERSHIP = 36;
/**
 * IPv6 option: whether an IPv6 socket refuses IPv4. Deno cannot set it.
 *
 * @category Constants
 */
export const IPV6_V6ONLY = 26;

/**
 * The largest backlog that Linux grants by default (`net.core.somaxconn`).
 *
 * @category Constants
 */
export const SOMAXCONN = 4096;

/**
 * {@linkcode getaddrinfo} flag: returns addresses to bind to.
 *
 * @category Constants
 */
export const AI_PASSIVE = 0x1;
/**
 * {@linkcode getaddrinfo} flag: returns the canonical name.
 *
 * @category Constants
 */
export const AI_CANONNAME = 0x2;
/**
 * {@linkcode getaddrinfo} flag: takes only a literal address, and asks no resolver.
 *
 * @category Constants
 */
export const AI_NUMERICHOST = 0x4;
/**
 * {@linkcode getaddrinfo} flag: returns only families that this machine has. Accepted and ignored.
 *
 * @category Constants
 */
export const AI_ADDRCONFIG = 0x20;
/**
 * {@linkcode getaddrinfo} flag: takes only a number as port.
 *
 * @category Constants
 */
export const AI_NUMERICSERV = 0x400;

/**
 * {@linkcode getnameinfo} flag: returns the address, not a name.
 *
 * @category Constants
 */
export const NI_NUMERICHOST = 1;
/**
 * {@linkcode getnameinfo} flag: returns the port, not a service.
 *
 * @category Constants
 */
export const NI_NUMERICSERV = 2;
/**
 * {@linkcode getnameinfo} flag: fails if there is no name.
 *
 * @category Constants
 */
export const NI_NAMEREQD = 8;
/**
 * {@linkcode getnameinfo} flag: returns the service of UDP.
 *
 * @category Constants
 */
export const NI_DGRAM = 16;

/**
 * {@linkcode GaiError} code: the address has no such family.
 *
 * @category Constants
 */
export const EAI_ADDRFAMILY: number = -9;
/**
 * {@linkcode GaiError} code: a name server failed for now.
 *
 * @category Constants
 */
export const EAI_AGAIN: number = -3;
/**
 * {@linkcode GaiError} code: the flags are not supported.
 *
 * @category Constants
 */
export const EAI_BADFLAGS: number = -1;
/**
 * {@linkcode GaiError} code: a name server failed for good.
 *
 * @category Constants
 */
export const EAI_FAIL: number = -4;
/**
 * {@linkcode GaiError} code: the family is not supported.
 *
 * @category Constants
 */
export const EAI_FAMILY: number = -6;
/**
 * {@linkcode GaiError} code: host or service not known.
 *
 * @category Constants
 */
export const EAI_NONAME: number = -2;
/**
 * {@linkcode GaiError} code: the socket type is not supported.
 *
 * @category Constants
 */
export const EAI_SOCKTYPE: number = -7;
/**
 * {@linkcode GaiError} code: the service is not known for this type.
 *
 * @category Constants
 */
export const EAI_SERVICE: number = -8;
