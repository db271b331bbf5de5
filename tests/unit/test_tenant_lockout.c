/* SPDX-License-Identifier: MIT */
/*
 * test_tenant_lockout: a tenant whose database refuses the login is locked out, with that address
 * and password alone, for a time; and how the reason stands in the tenant's row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "tenant/row.h"
#include "tenant/tenants_shared.h"

#define HOUR_US (3600 * 1000000ull)

static const struct tenant acme = {
	.id = "acme",
	.state = TENANT_READY,
	.host = "ep-x.neon.tech",
	.port = 5432,
	.dbname = "neondb",
	.user = "neondb_owner",
	.password = "old",
};

static struct err
because(const char *detail, int retry_after)
{
	struct err err = { .retry_after = retry_after };

	err_set(&err, ERR_DATABASE, "%s", detail);
	return err;
}

static void
one_of_many_finds_out(void **state)
{
	struct tenants_shared *s = tenants_shared_new(NULL, 100);
	struct err why = because("It is looked at.", 1), told = { 0 };

	(void)state;
	assert_false(shared_lockout(s, &acme, &told));
	assert_true(shared_lockout_begin(s, &acme, &why, HOUR_US));
	assert_false(shared_lockout_begin(s, &acme, &why, HOUR_US));
	assert_true(shared_lockout(s, &acme, &told));
	assert_string_equal(told.detail, "It is looked at.");
	assert_int_equal(told.retry_after, 1);
	why = because("It was deleted.", 0);
	shared_lockout_set(s, &acme, &why, HOUR_US);
	assert_true(shared_lockout(s, &acme, &told));
	assert_string_equal(told.detail, "It was deleted.");
	assert_in_range(told.retry_after, 3590, 3600);
	shared_lockout_end(s, "acme");
	assert_false(shared_lockout(s, &acme, &told));
	assert_int_equal(atomic_load(&s->lockout_count), 0);
	tenants_shared_free(s);
}

static void
another_password_is_not_locked_out(void **state)
{
	struct tenants_shared *s = tenants_shared_new(NULL, 100);
	struct err why = because("It was deleted.", 0), told = { 0 };
	struct tenant healed = acme, moved = acme, other = acme;

	(void)state;
	snprintf(healed.password, sizeof(healed.password), "new");
	snprintf(moved.host, sizeof(moved.host), "ep-y.neon.tech");
	snprintf(other.id, sizeof(other.id), "other");
	shared_lockout_set(s, &acme, &why, HOUR_US);
	assert_true(shared_lockout(s, &acme, &told));
	assert_false(shared_lockout(s, &healed, &told));
	assert_false(shared_lockout(s, &moved, &told));
	assert_false(shared_lockout(s, &other, &told));
	/* Nor does it keep anybody from looking at the new one. */
	assert_true(shared_lockout_begin(s, &healed, &why, HOUR_US));
	tenants_shared_free(s);
}

static void
a_lockout_ends_by_itself(void **state)
{
	struct tenants_shared *s = tenants_shared_new(NULL, 100);
	struct err why = because("It was deleted.", 0), told = { 0 };

	(void)state;
	shared_lockout_set(s, &acme, &why, 0);
	assert_false(shared_lockout(s, &acme, &told));
	assert_true(shared_lockout_begin(s, &acme, &why, HOUR_US));
	tenants_shared_free(s);
}

static void
a_reason_is_read_as_it_was_written(void **state)
{
	struct err why = because("It was deleted. Ask the operator.", 0), read = { 0 };
	char text[512];

	(void)state;
	err_cause(&why, "Neon answers 404.");
	row_error_write(text, sizeof(text), &why);
	row_error_read(text, ERR_NEON, "It failed.", &read);
	assert_int_equal(read.code, ERR_NEON);
	assert_string_equal(read.detail, why.detail);
	assert_string_equal(read.cause, why.cause);
	err_clear(&read);
	why.cause[0] = '\0';
	row_error_write(text, sizeof(text), &why);
	row_error_read(text, ERR_NEON, "It failed.", &read);
	assert_string_equal(read.detail, why.detail);
	assert_string_equal(read.cause, "");
}

/* The first releases wrote a server's words there, operators write what they like. */
static void
what_others_wrote_is_not_told_to_tenants(void **state)
{
	struct err read = { 0 };

	(void)state;
	row_error_read("role \"neondb_owner\" does not exist", ERR_NEON, "It failed.", &read);
	assert_string_equal(read.detail, "It failed.");
	assert_string_equal(read.cause, "role \"neondb_owner\" does not exist");
	err_clear(&read);
	row_error_read("", ERR_NEON, "It failed.", &read);
	assert_string_equal(read.detail, "It failed.");
	assert_string_equal(read.cause, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_many_finds_out),
		cmocka_unit_test(another_password_is_not_locked_out),
		cmocka_unit_test(a_lockout_ends_by_itself),
		cmocka_unit_test(a_reason_is_read_as_it_was_written),
		cmocka_unit_test(what_others_wrote_is_not_told_to_tenants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
