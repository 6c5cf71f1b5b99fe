/** Tests of the four ways to run, and blocking sockets. */

import "../blocking_test.ts";
import "../blocking_connect_test.ts";
import "../blocking_ends_test.ts";
import "../blocking_same_test.ts";
import "../blocking_units_test.ts";
import "../failure_test.ts";
import "../proxy_protocol_test.ts";
import "../relay_servers_test.ts";
import "../remote_abort_test.ts";
import "../remote_errors_test.ts";
import "../ways_test.ts";
