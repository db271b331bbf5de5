/* SPDX-License-Identifier: MIT */
/*
 * tenant_checks: what the live tests of provisioning look at afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tenant_checks.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/loop/worker.h"

#define CONTACTS_MAX 12

long
projects_of(struct tenant_fixture *h, const char *id)
{
	return strtol(tenant_fixture_sql(h, h->admin,
			  "SELECT count(*) FROM neon_standin.projects "
			  "WHERE name ~ '^tg-%s-%s(-[0-9a-f]{24})?$' AND state <> 'gone'",
			  h->catalog_name, id),
	    NULL, 10);
}

void
row_is_ready(struct tenant_fixture *h, const char *id)
{
	assert_string_equal(tenant_fixture_sql(h, h->catalog,
				"SELECT state || ' ' || (vector_db_id = project_id) || ' ' || "
				"(lease_until IS NULL) "
				"FROM public.tenants JOIN public.vector_databases ON user_id = "
				"tenant_id "
				"WHERE tenant_id = '%s'",
				id),
	    "ready true true");
}

/* The catalog's probes run on the worker of index 0, which is the test's own and has no thread. */
static void
control_turns(struct tenant_fixture *h, unsigned ms)
{
	uint64_t end_us = clock_mono_us() + ms * 1000ull;

	while (clock_mono_us() < end_us)
		worker_turn(h->control, 20);
}

/* As a client would: again after a 503 or a 502, when Retry-After is over. */
unsigned
contacts_until_ready(struct tenant_fixture *h, const char *id)
{
	static struct contact c;
	unsigned n;

	for (n = 1; n <= CONTACTS_MAX; n++) {
		if (contact_make(&c, &h->workers[n % WORKERS], id) == ERR_NONE)
			break;
		print_message("  %s, contact %u: %s: %s\n", id, n, err_slug(c.err.code),
		    c.err.detail);
		assert_true(err_status(c.err.code) == 502 || err_status(c.err.code) == 503);
		control_turns(h, c.err.retry_after > 0 ? (unsigned)c.err.retry_after * 1000 : 200);
	}
	assert_int_equal(c.tenant.state, TENANT_READY);
	row_is_ready(h, id);
	return n;
}
