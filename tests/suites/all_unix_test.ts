/** Tests of Unix sockets. */

import "../socket/socket_unix_test.ts";
import "../runtime/unix/unix_datagram_test.ts";
import "../runtime/unix/unix_deaf_test.ts";
import "../server/unix_full_test.ts";
import "../server/unix_many_test.ts";
import "../server/unix_path_test.ts";
import "../runtime/unix/unix_aliases_test.ts";
