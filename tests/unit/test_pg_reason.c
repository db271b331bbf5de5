/* SPDX-License-Identifier: MIT */
/*
 * test_pg_reason: what a failure means for the one who asked, by the words of those who fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tenantgate/wire/pg.h"

/* The words are PostgreSQL's, PgBouncer's, Neon's, libpq's, libevent's. */
static const struct {
	const char *sqlstate, *message;
	enum err_code code;
	bool passes, is_full;
} failures[] = {
	{ "53300", "sorry, too many clients already", ERR_OVERLOADED, false, true },
	{ "08P01", "no more connections allowed (max_client_conn)", ERR_OVERLOADED, false, true },
	{ "53200", "out of memory", ERR_DATABASE_AWAY, false, true },
	{ "57P03", "the database system is starting up", ERR_DATABASE_AWAY, true, false },
	{ "57P01", "terminating connection due to administrator command", ERR_DATABASE_AWAY, true,
	    false },
	{ "28P01", "password authentication failed for user \"a\"", ERR_DATABASE, false, false },
	{ "3D000", "database \"a\" does not exist", ERR_DATABASE, false, false },
	{ "25006", "cannot execute INSERT in a read-only transaction", ERR_DATABASE_AWAY, false,
	    false },
	{ "XX000", "Couldn't connect to compute node", ERR_DATABASE_AWAY, true, false },
	{ "XX000", "Your account or project has exceeded the compute time quota.",
	    ERR_DATABASE_QUOTA, false, false },
	{ "XX000", "The requested endpoint could not be found", ERR_DATABASE, false, false },
	{ "", "Connection refused", ERR_DATABASE_AWAY, true, false },
	{ "", "server closed the connection unexpectedly", ERR_DATABASE_AWAY, true, false },
	{ "", "SSL SYSCALL error: EOF detected", ERR_DATABASE_AWAY, true, false },
	{ "", "SSL error: certificate verify failed", ERR_DATABASE, false, false },
	{ "", "Looking up db.example failed: name does not exist. Check the host's name",
	    ERR_DATABASE, false, false },
	{ "", "Looking up db.example failed: server failed. Check the host's name",
	    ERR_DATABASE_AWAY, true, false },
	{ "42P01", "relation \"x\" does not exist", ERR_OUTDATED, false, false },
	{ "42703", "column \"x\" does not exist", ERR_OUTDATED, false, false },
};

static void
each_failure_has_its_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		struct pg_result r = { .status = PG_LOST };
		const struct pg_reason *reason;

		snprintf(r.failure.sqlstate, sizeof(r.failure.sqlstate), "%s",
		    failures[i].sqlstate);
		snprintf(r.failure.message, sizeof(r.failure.message), "%s", failures[i].message);
		reason = pg_reason(&r);
		assert_int_equal(reason->code, failures[i].code);
		assert_int_equal(reason->passes, failures[i].passes);
		assert_int_equal(reason->is_full, failures[i].is_full);
		/* The client hears none of the server's words. */
		assert_null(strstr(reason->detail, failures[i].message));
		assert_true(reason->code == ERR_DATABASE || reason->retry_after > 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_failure_has_its_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
