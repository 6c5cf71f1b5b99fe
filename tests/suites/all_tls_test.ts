/** Tests of TLS. */

import "../ssl/server_ssl_test.ts";
import "../ssl/server_ssl_peers_test.ts";
import "../ssl/server_tls_test.ts";
import "../ssl/ssl_context_test.ts";
import "../ssl/ssl_ends_test.ts";
import "../ssl/ssl_peers_test.ts";
import "../ssl/ssl_verify_test.ts";
import "../ssl/ssl_wrap_test.ts";
