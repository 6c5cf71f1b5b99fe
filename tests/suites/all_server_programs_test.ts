/** Tests of servers in processes of their own: what they print, how they end, other clients. */

import "../server/interop_server_test.ts";
import "../server/lingering_test.ts";
import "../proxy/proxy_haproxy_test.ts";
import "../server/server_end_test.ts";
import "../server/server_report_test.ts";
