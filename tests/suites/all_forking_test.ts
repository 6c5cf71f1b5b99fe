/** Tests of handlers in child processes. */

import "../accept_in_children_test.ts";
import "../accept_in_test.ts";
import "../acceptors_test.ts";
import "../call_executor_test.ts";
import "../child_acceptor_test.ts";
import "../child_job_test.ts";
import "../child_survey_test.ts";
import "../child_transports_test.ts";
import "../children_accept_rules_test.ts";
import "../concurrency_limit_test.ts";
import "../forking_test.ts";
import "../forking_child_test.ts";
import "../forking_death_test.ts";
import "../forking_handover_test.ts";
import "../forking_hostile_test.ts";
import "../forking_permissions_test.ts";
import "../parent_link_test.ts";
import "../permission_flags_test.ts";
import "../pool_child_test.ts";
