/* SPDX-License-Identifier: MIT */
/*
 * test_catalog_url: postgres URLs as people paste them, and what is refused without a leak.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/catalog.h"

struct expectation {
	const char *url;
	const char *host;
	unsigned port;
	const char *dbname, *user, *password, *sslmode;
};

static const struct expectation good[] = {
	{ "postgresql://u:p@h/d", "h", 5432, "d", "u", "p", "prefer" },
	{ "postgres://u@h:6543", "h", 6543, "u", "u", NULL, "prefer" },
	{ "postgresql://u:@h/", "h", 5432, "u", "u", "", "prefer" },
	{ "postgresql://u:a@b@h/d", "h", 5432, "d", "u", "a@b", "prefer" },
	{ "postgresql://http%2Bauth$$:%25%2B$%5E&*%40!@h/a%20b", "h", 5432, "a b", "http+auth$$",
	    "%+$^&*@!", "prefer" },
	{ "postgresql://u:p@[::1]:5433/d?sslmode=require", "::1", 5433, "d", "u", "p", "require" },
	{ "postgresql://u:p@[fe80::1]/d", "fe80::1", 5432, "d", "u", "p", "prefer" },
	{ "postgresql://u:p@%2Frun%2Fpg/d", "/run/pg", 5432, "d", "u", "p", "prefer" },
	{ "postgresql://u:p@/d?host=%2Frun%2Fpg", "/run/pg", 5432, "d", "u", "p", "prefer" },
	{ "postgresql://u:p@ep-x.c-2.us-east-2.aws.neon.tech/neondb"
	  "?sslmode=verify-full&channel_binding=require",
	    "ep-x.c-2.us-east-2.aws.neon.tech", 5432, "neondb", "u", "p", "verify-full" },
};

static const char *const bad[] = {
	"",
	"mysql://u:hunter2@h/d",
	"postgresql:/u:hunter2@h/d",
	"postgresql://",
	"postgresql://h/d",
	"postgresql://:hunter2@h/d",
	"postgresql://u:hunter2@/d",
	"postgresql://u:hunter2@h:0/d",
	"postgresql://u:hunter2@h:65536/d",
	"postgresql://u:hunter2@h:12x/d",
	"postgresql://u:hunter2@h:99999999999999999999/d",
	"postgresql://u:hunter2%@h/d",
	"postgresql://u:hunter2%4@h/d",
	"postgresql://u:hunter2%zz@h/d",
	"postgresql://u:hunter2%00@h/d",
	"postgresql://u:hunter2@h\n/d",
	"postgresql://u:hunter2@[::1/d",
	"postgresql://u:hunter2@[::1]x/d",
	"postgresql://u:hunter2@h/d?sslmode=off",
	"postgresql://u:hunter2@h/d?service=hunter2",
	"postgresql://u:hunter2@h/d?sslmode=%",
};

static void
same(const char *a, const char *b)
{
	if (a == NULL)
		assert_null(b);
	else
		assert_string_equal(a, b);
}

static void
good_urls_are_taken_apart(void **state)
{
	struct arena *a = arena_new(1 << 20);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct pg_target t;
		struct err err = { 0 };

		assert_true(catalog_parse_url(a, good[i].url, &t, &err));
		assert_int_equal(err.code, ERR_NONE);
		same(good[i].host, t.host);
		assert_int_equal(good[i].port, t.port);
		same(good[i].dbname, t.dbname);
		same(good[i].user, t.user);
		same(good[i].password, t.password);
		same(good[i].sslmode, t.sslmode);
	}
	arena_free(a);
}

static void
parameters_are_kept(void **state)
{
	struct arena *a = arena_new(1 << 20);
	struct pg_target t;
	struct err err = { 0 };

	(void)state;
	assert_true(catalog_parse_url(a,
	    "postgresql://u@h/d?options=-c%20statement_timeout%3D5s"
	    "&sslrootcert=/etc/ca.pem&",
	    &t, &err));
	assert_string_equal(t.options, "-c statement_timeout=5s");
	assert_string_equal(t.sslrootcert, "/etc/ca.pem");
	arena_free(a);
}

static void
bad_urls_are_refused_without_a_word_of_them(void **state)
{
	struct arena *a = arena_new(1 << 20);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pg_target t;
		struct err err = { 0 };

		assert_false(catalog_parse_url(a, bad[i], &t, &err));
		assert_int_not_equal(err.code, ERR_NONE);
		assert_null(strstr(err.detail, "hunter2"));
	}
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_urls_are_taken_apart),
		cmocka_unit_test(parameters_are_kept),
		cmocka_unit_test(bad_urls_are_refused_without_a_word_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
