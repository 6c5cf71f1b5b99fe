/** Tests of the examples and the deployments. */

import "../project/deploy_test.ts";
import "../examples/examples_test.ts";
import "../examples/examples_dns_test.ts";
import "../examples/examples_http_test.ts";
import "../examples/examples_http_handler_test.ts";
import "../examples/examples_https_test.ts";
import "../examples/examples_redis_test.ts";
import "../examples/examples_small_test.ts";
import "../examples/examples_smtp_test.ts";
