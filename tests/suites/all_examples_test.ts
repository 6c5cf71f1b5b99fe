/** Tests of the examples and the deployments. */

import "../deploy_test.ts";
import "../examples_test.ts";
import "../examples_dns_test.ts";
import "../examples_http_test.ts";
import "../examples_http_handler_test.ts";
import "../examples_https_test.ts";
import "../examples_redis_test.ts";
import "../examples_small_test.ts";
import "../examples_smtp_test.ts";
