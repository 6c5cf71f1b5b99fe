/** Tests of servers in processes of their own: what they print, how they end, other clients. */

import "../interop_server_test.ts";
import "../lingering_test.ts";
import "../proxy_haproxy_test.ts";
import "../server_end_test.ts";
import "../server_report_test.ts";
