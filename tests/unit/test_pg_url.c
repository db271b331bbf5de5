/* SPDX-License-Identifier: MIT */
/*
 * test_pg_url: Postgres URLs as people paste them and as Neon gives them, and what is refused
 * without a leak.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/log.h"
#include "tenantgate/wire/pg_url.h"
#include "url_fixture.h"

struct pg_url_expectation {
	const char *url;
	const char *host;
	unsigned port;
	const char *dbname, *user, *password, *sslmode;
};

static const struct pg_url_expectation good[] = {
	{ "postgresql://u:p@h/d", "h", 5432, "d", "u", "p", "prefer" },
	{ "postgres://u@h:6543", "h", 6543, "u", "u", NULL, "prefer" },
	{ "postgresql://u:@h/", "h", 5432, "u", "u", NULL, "prefer" },
	{ "postgresql://u@h:/d", "h", 5432, "d", "u", NULL, "prefer" },
	{ "postgresql://u:a@b@h/d", "h", 5432, "d", "u", "a@b", "prefer" },
	{ "postgresql://u:1#a@b@h/d", "h", 5432, "d", "u", "1#a@b", "prefer" },
	{ "postgresql://http%2Bauth$$:%25%2B$%5E&*%40!@h/a%20b", "h", 5432, "a b", "http+auth$$",
	    "%+$^&*@!", "prefer" },
	{ "postgresql://u:p@[::1]:5433/d?sslmode=require", "::1", 5433, "d", "u", "p", "require" },
	{ "postgresql://u:p@[fe80::1]/d", "fe80::1", 5432, "d", "u", "p", "prefer" },
	{ "postgresql:///d?host=h&port=7&user=u&password=p%26", "h", 7, "d", "u", "p&", "prefer" },
	{ "postgresql://u:p@h/d?sslmode=allow&host=%3A%3A1", "::1", 5432, "d", "u", "p", "allow" },
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
	"postgresql://u:hunter2@h/d?sslmode",
	"postgresql://u:hunter2@h/d?channel_binding=on",
	"postgresql://u:hunter2@h/d?port=1x",
	"postgresql://u:p/hunter2@h/d",
	"postgresql://u:1/hunter2@h/d",
	"postgresql://u:p?hunter2@h/d",
	"postgresql://u:p@h?hunter2@h/d",
	"postgresql://u:hunter2@h/d?a%00",
	"postgresql://u:hunter2@h/d%0a",
};

static void
good_urls_are_taken_apart(void **state)
{
	struct arena *a = arena_new(1 << 20);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct pg_target t;
		struct err err = { 0 };

		assert_true(pg_url_read(a, good[i].url, PG_URL_STRICT, &t, &err));
		assert_int_equal(err.code, ERR_NONE);
		assert_part(good[i].host, t.host);
		assert_int_equal(good[i].port, t.port);
		assert_part(good[i].dbname, t.dbname);
		assert_part(good[i].user, t.user);
		assert_part(good[i].password, t.password);
		assert_part(good[i].sslmode, t.sslmode);
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
	assert_true(pg_url_read(a,
	    "postgresql://u@h/d?channel_binding=require"
	    "&sslrootcert=/etc/ca.pem&",
	    PG_URL_STRICT, &t, &err));
	assert_string_equal(t.channel_binding, "require");
	assert_string_equal(t.sslrootcert, "/etc/ca.pem");
	arena_free(a);
}

/* Consoles and ORMs hand them out; neither changes what is connected to. */
static void
harmless_parameters_are_dropped(void **state)
{
	struct arena *a = arena_new(1 << 20);
	struct pg_target t;
	struct err err = { 0 };

	(void)state;
	assert_true(pg_url_read(a,
	    "postgresql://u:p@h/d?connect_timeout=3&sslmode=require&application_name=x",
	    PG_URL_STRICT, &t, &err));
	assert_string_equal(t.sslmode, "require");
	assert_string_equal(t.host, "h");
	arena_free(a);
}

/* What libpq would take, or overlook, and we do not use. */
static void
our_own_urls_have_no_unused_parameters(void **state)
{
	static const struct {
		const char *url, *word;
	} cases[] = {
		{ "postgresql://u:hunter2@h/d?service=x", "parameter service: write host" },
		{ "postgresql://u:hunter2@h/d?passfile=/x", "parameter passfile: write" },
		{ "postgresql://u:hunter2@h/d?sslkey=/x", "parameter sslkey: log in" },
		{ "postgresql://u:hunter2@h/d?sslmode=require&sslcert=/x", "parameter sslcert: " },
		{ "postgresql://u:hunter2@h/d?hostaddr=::1", "parameter hostaddr: write" },
		{ "postgresql://u:hunter2@h/d?options=-c%20x%3D5s", "parameter options: remove" },
		{ "postgresql://u:hunter2@h/d?keepalives=1", "parameter keepalives: it would" },
		{ "postgresql://u:hunter2@h/d?ssl_mode=x", "parameter ssl_mode: it would" },
		{ "postgresql://u:hunter2@h/d?sslmode", "parameter sslmode: write it as NAME" },
		{ "postgresql://u:hunter2@%2Frun%2Fpg/d", "Unix socket" },
		{ "postgresql://u:hunter2@/d?host=%2Frun%2Fpg", "Unix socket" },
		{ "postgresql://u:hunter2@%40abstract/d", "Unix socket" },
		{ "postgresql://u:hunter2@h1,h2:5433/d", "several hosts: write one" },
		{ "postgresql://u:hunter2@b\xc3\xbc"
		  "cher.example/d",
		    "beyond ASCII: write it as the DNS has it, xn--" },
		{ "postgresql://u:hunter2@/d?host=b%C3%BCcher.example",
		    "beyond ASCII: write it as the DNS has it, xn--" },
	};
	struct arena *a = arena_new(1 << 20);
	struct pg_target t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = { 0 };

		assert_false(pg_url_read(a, cases[i].url, PG_URL_STRICT, &t, &err));
		if (strstr(err.detail, cases[i].word) == NULL)
			fail_msg("%s: %s", cases[i].url, err.detail);
		assert_null(strstr(err.detail, "hunter2"));
	}
	arena_free(a);
}

/* What is written to the log while `url` is read, leniently. */
static const char *
logged(const char *url, bool want, struct pg_target *t, struct arena *a)
{
	static char text[4096];
	char path[] = "/tmp/tg-pg-url-XXXXXX";
	struct err err = { 0 };
	int fd = mkstemp(path);
	ssize_t n;

	assert_true(fd >= 0 && log_open(path));
	assert_int_equal(pg_url_read(a, url, PG_URL_LENIENT, t, &err), want);
	assert_null(strstr(err.detail, "hunter2"));
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	assert_true(log_open(NULL));
	assert_int_equal(unlink(path), 0);
	assert_null(strstr(text, "hunter2"));
	return text;
}

static void
a_providers_unknown_parameters_are_dropped_and_logged_by_name(void **state)
{
	struct arena *a = arena_new(1 << 20);
	struct pg_target t;
	const char *log;

	(void)state;
	log = logged("postgresql://o:hunter2%40@ep-x.neon.tech/"
		     "neondb?new_word=hunter2&sslmode=require"
		     "&&OTHER=hunter2&s%73l=1&options=endpoint%3Dhunter2&port",
	    true, &t, a);
	assert_non_null(strstr(log, "\"event\":\"pg.uri_parameters_dropped\""));
	assert_non_null(strstr(log,
	    ": new_word, (no plain name), (no plain name), "
	    "(no plain name), options, port; look"));
	assert_ptr_equal(strchr(log, '\n'), log + strlen(log) - 1);
	assert_string_equal(t.host, "ep-x.neon.tech");
	assert_string_equal(t.user, "o");
	assert_string_equal(t.password, "hunter2@");
	assert_string_equal(t.dbname, "neondb");
	assert_string_equal(t.sslmode, "require");
	assert_int_equal(t.port, 5432);
	log = logged("postgresql://o:p@h/d?sslmode=require&channel_binding=require", true, &t, a);
	assert_string_equal(log, "");
	assert_string_equal(t.channel_binding, "require");
	arena_free(a);
}

static void
leniency_is_for_parameters_only(void **state)
{
	static const char *const cases[] = { "postgresql://o:hunter2@/d?x=1",
		"postgresql://h/d?x=hunter2", "postgresql://o:hunter2@h1,h2/d?x=1",
		"postgresql://o:hunter2@%2Frun/d?x=1", "postgresql://o:hunter2@h:0/d?x=1",
		"postgresql://o:hunter2%zz@h/d?x=1", "postgresql://o:p?x&hunter2@h/d", "hunter2" };
	struct arena *a = arena_new(1 << 20);
	struct pg_target t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		logged(cases[i], false, &t, a);
	logged("postgresql://o:p@h/d?sslmode=some-new-one&channel_binding=x", true, &t, a);
	assert_string_equal(t.sslmode, "verify-full");
	assert_string_equal(t.channel_binding, "require");
	arena_free(a);
}

/* libpq fills these in for other programs. */
static void
the_environment_is_ignored(void **state)
{
	struct arena *a = arena_new(1 << 20);
	struct pg_target t;
	struct err err = { 0 };

	(void)state;
	setenv("PGHOST", "elsewhere", 1);
	setenv("PGPORT", "6000", 1);
	setenv("PGUSER", "somebody", 1);
	setenv("PGPASSWORD", "secret", 1);
	setenv("PGDATABASE", "other", 1);
	setenv("PGSSLMODE", "disable", 1);
	assert_true(pg_url_read(a, "postgresql://u@h", PG_URL_STRICT, &t, &err));
	assert_string_equal(t.host, "h");
	assert_string_equal(t.user, "u");
	assert_string_equal(t.dbname, "u");
	assert_string_equal(t.sslmode, "prefer");
	assert_null(t.password);
	assert_int_equal(t.port, 5432);
	assert_false(pg_url_read(a, "postgresql://", PG_URL_STRICT, &t, &err));
	arena_free(a);
}

static void
a_url_past_the_ceilings_is_refused(void **state)
{
	struct arena *small = arena_new(2048);
	char url[20000] = "postgresql://u:";
	struct pg_target t;
	struct err err = { 0 };

	(void)state;
	memset(url + strlen(url), 'p', sizeof(url) - 30);
	memcpy(url + sizeof(url) - 15, "@h/d", 5);
	assert_false(pg_url_read(small, url, PG_URL_STRICT, &t, &err));
	err_clear(&err);
	memcpy(url + 5000, "@h/d", 5);
	assert_false(pg_url_read(small, url, PG_URL_STRICT, &t, &err));
	arena_free(small);
}

static void
bad_urls_are_refused_without_quoting_them(void **state)
{
	struct arena *a = arena_new(1 << 20);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pg_target t;
		struct err err = { 0 };

		if (pg_url_read(a, bad[i], PG_URL_STRICT, &t, &err))
			fail_msg("taken: %s", bad[i]);
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
		cmocka_unit_test(harmless_parameters_are_dropped),
		cmocka_unit_test(bad_urls_are_refused_without_quoting_them),
		cmocka_unit_test(our_own_urls_have_no_unused_parameters),
		cmocka_unit_test(a_providers_unknown_parameters_are_dropped_and_logged_by_name),
		cmocka_unit_test(leniency_is_for_parameters_only),
		cmocka_unit_test(the_environment_is_ignored),
		cmocka_unit_test(a_url_past_the_ceilings_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
