/** Tests of Unix sockets. */

import "../socket_unix_test.ts";
import "../unix_datagram_test.ts";
import "../unix_deaf_test.ts";
import "../unix_full_test.ts";
import "../unix_many_test.ts";
import "../unix_path_test.ts";
import "../unix_units_test.ts";
