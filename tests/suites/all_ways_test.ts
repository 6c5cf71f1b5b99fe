/** Tests of the four ways to run, and blocking sockets. */

import "../blocking/blocking_test.ts";
import "../blocking/blocking_connect_test.ts";
import "../blocking/blocking_ends_test.ts";
import "../blocking/blocking_same_test.ts";
import "../blocking/deadline_test.ts";
import "../handoff/failure_test.ts";
import "../proxy/proxy_protocol_test.ts";
import "../mixins/relay_servers_test.ts";
import "../mixins/remote_abort_test.ts";
import "../mixins/remote_errors_test.ts";
import "../mixins/ways_test.ts";
