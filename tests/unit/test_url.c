/* SPDX-License-Identifier: MIT */
/*
 * test_url: URLs of every scheme but Postgres', taken apart; and which hold a password.
 */
#include <stdio.h>

#include "tenantgate/wire/url.h"
#include "wire/redis_internal.h"
#include "url_fixture.h"

struct url_expectation {
	const char *text, *scheme, *user, *password, *host;
	unsigned port;
	const char *path, *query;
};

static const struct url_expectation good[] = {
	{ "http://h", "http", NULL, NULL, "h", 0, "/", NULL },
	{ "HTTPS://h:8443/v1?a=b", "https", NULL, NULL, "h", 8443, "/v1", "a=b" },
	{ "http://h:/", "http", NULL, NULL, "h", 0, "/", NULL },
	{ "http://u:p%40%2F@[::1]:80/x", "http", "u", "p@/", "::1", 80, "/x", NULL },
	{ "http://u:a@b@h/@x", "http", "u", "a@b", "h", 0, "/@x", NULL },
	{ "http://u@h/%2f", "http", "u", NULL, "h", 0, "/%2f", NULL },
	{ "redis://%68:1/2", "redis", NULL, NULL, "h", 1, "/2", NULL },
	{ "rediss://:a/b?c#d@e@h", "rediss", "", "a/b?c#d@e", "h", 0, "/", NULL },
};

static const char *const bad[] = {
	"",
	"h",
	"http",
	"http:",
	"http:/h",
	"http:///h",
	"://h",
	"http://",
	"http://:80",
	"http://u:hunter2@",
	"http://u:hunter2@/x",
	"http://u:hunter2@h:0/",
	"http://u:hunter2@h:65536/",
	"http://u:hunter2@h:8x/",
	"http://u:hunter2@h h/",
	"http://u:hunter2@h/a b",
	"http://u:hunter2@h/a\nb",
	"http://u:hunter2@h/a\x7f",
	"http://u:hunter2%@h/",
	"http://u:hunter2%4@h/",
	"http://u:hunter2%zz@h/",
	"http://u:hunter2%00@h/",
	"http://u:hunter2%0a@h/",
	"http://u%00:hunter2@h/",
	"http://u:hunter2@h%00/",
	"http://u:hunter2@h/%",
	"http://u:hunter2@[::1/",
	"http://u:hunter2@[::1]x/",
	"http://u:hunter2@[h]/",
	"http://u:hunter2@[fe80::1%25eth0]/",
	"http://u:hunter2@h,i/",
	"http://u:hunter2/@h/",
};

static void
parts_are_told_apart_and_decoded(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct url_parts p;
		struct err err = { 0 };

		if (!url_read(slice_str(good[i].text), &p, &err))
			fail_msg("%s: %s", good[i].text, err.detail);
		assert_part(good[i].scheme, p.scheme);
		assert_part(good[i].user, p.user);
		assert_part(good[i].password, p.password);
		assert_part(good[i].host, p.host);
		assert_int_equal(good[i].port, p.port);
		assert_part(good[i].path, p.path);
		assert_part(good[i].query, p.query);
		url_free(&p);
		url_free(&p);
	}
}

static void
malformed_urls_are_refused_without_quoting_them(void **state)
{
	struct url_parts p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = { 0 };

		if (url_read(slice_str(bad[i]), &p, &err))
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.code, ERR_INVALID_FIELD);
		assert_null(strstr(err.detail, "hunter2"));
		assert_null(p.host);
	}
	assert_false(url_read(slice_of("http://h\0x", 10), &p, &(struct err){ 0 }));
}

/* In whatever part it is, and escaped, too; elsewhere such bytes are let through. */
static void
a_host_beyond_ascii_is_to_be_written_as_the_dns_has_it(void **state)
{
	static const char *const hosts[] = { "https://b\xc3\xbc"
					     "cher.example/v1",
		"rediss://:hunter2@b\xc3\xbc"
		"cher.example",
		"http://u:hunter2@b%C3%BCcher.example", "http://\xff" };
	struct url_parts p;

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct err err = { 0 };

		assert_false(url_read(slice_str(hosts[i]), &p, &err));
		assert_non_null(
		    strstr(err.detail, "beyond ASCII: write it as the DNS has it, xn--"));
		assert_null(strstr(err.detail, "hunter2"));
		assert_null(p.host);
	}
	assert_true(
	    url_read(SLICE_LIT("http://xn--bcher-kva.example/\xc3\xbc"), &p, &(struct err){ 0 }));
	url_free(&p);
}

static void
a_long_url_is_refused(void **state)
{
	static char text[20000] = "http://h/";
	struct url_parts p;
	struct err err = { 0 };

	(void)state;
	memset(text + strlen(text), 'x', sizeof(text) - strlen(text) - 1);
	assert_false(url_read(slice_str(text), &p, &err));
}

/* What stands in a file, when ${...} is taken out, included. */
static void
passwords_are_seen(void **state)
{
	static const char *const secret[] = { "postgresql://u:pw@h/d", "http://u:p@h",
		"redis://:pw@h", "redis://:p/w@h", "postgresql://u:pw@/d", "postgresql://u:pw@:/d",
		"postgresql://u:pw@h1,h2/d", "postgresql://u:pw@[]/d", "://u:pw@h", "u:pw@h",
		"postgresql://u:a@b@h/d", "postgresql://h/d?user=u&password=", "http://u:p%@h" };
	static const char *const open[] = { "", "postgresql://u@h/d", "postgresql://u:@h/d",
		"postgresql://u:@/d", "postgresql://u:@:/d", "postgresql://:@[]/d", "redis://h:1/2",
		"http://h/@x:y", "http://h:80/a@b", "://:@h/d", "/d", "h" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		if (!url_has_password(slice_str(secret[i])))
			fail_msg("taken for open: %s", secret[i]);
	for (i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		if (url_has_password(slice_str(open[i])))
			fail_msg("taken for a secret: %s", open[i]);
}

/* The texts of a struct redis_url have a size each. */
static void
a_redis_urls_texts_have_sizes(void **state)
{
	struct redis_url url;
	char text[800];

	(void)state;
	for (int n = REDIS_USER_SIZE - 1; n <= REDIS_USER_SIZE; n++) {
		snprintf(text, sizeof(text), "redis://%0*d:p@h", n, 0);
		assert_int_equal(redis_url_read(&url, text, &(struct err){ 0 }),
		    n < REDIS_USER_SIZE);
	}
	for (int n = REDIS_PASSWORD_SIZE - 1; n <= REDIS_PASSWORD_SIZE; n++) {
		snprintf(text, sizeof(text), "redis://:%0*d@h", n, 0);
		assert_int_equal(redis_url_read(&url, text, &(struct err){ 0 }),
		    n < REDIS_PASSWORD_SIZE);
	}
	for (int n = DNS_NAME_MAX - 1; n <= DNS_NAME_MAX; n++) {
		snprintf(text, sizeof(text), "redis://h%0*d", n, 0);
		assert_int_equal(redis_url_read(&url, text, &(struct err){ 0 }), n < DNS_NAME_MAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_told_apart_and_decoded),
		cmocka_unit_test(malformed_urls_are_refused_without_quoting_them),
		cmocka_unit_test(a_host_beyond_ascii_is_to_be_written_as_the_dns_has_it),
		cmocka_unit_test(a_long_url_is_refused),
		cmocka_unit_test(passwords_are_seen),
		cmocka_unit_test(a_redis_urls_texts_have_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
