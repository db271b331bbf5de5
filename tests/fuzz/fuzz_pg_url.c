/* SPDX-License-Identifier: MIT */
/*
 * fuzz_pg_url: Postgres URIs, as our own configuration has them and as others give them; and Redis
 * URLs. Nothing that is refused repeats a part of what stands between :// and the last @; a lenient
 * reading takes what a strict one does, and the same.
 *
 * sources: src/base/alloc.c src/base/arena.c src/base/buf.c src/base/clock.c src/base/err.c
 * sources: src/base/json_put.c src/base/log.c src/base/log_repeat.c src/base/secret.c
 * sources: src/base/utf8.c src/wire/pg_url.c src/wire/redis_url.c src/wire/url.c
 * packages: libpq libcurl jansson hiredis libevent openssl
 */
#define _GNU_SOURCE /* memmem(), memrchr() */

#include "tenantgate/base/json.h"
#include "tenantgate/wire/pg_url.h"
#include "tests/fuzz/fuzz_check.h"
#include "wire/redis_internal.h"

#define LOGIN_SHOWN_MIN 12 /* bytes; shorter ones may be in any sentence by chance */

static void
check_target(const struct pg_target *t)
{
	fuzz_check(t->host != NULL && t->host[0] != '\0' && t->host[0] != '/');
	fuzz_check(t->user != NULL && t->user[0] != '\0');
	fuzz_check(t->dbname != NULL && t->dbname[0] != '\0' && t->port != 0);
	fuzz_check(t->sslmode != NULL);
}

static bool
text_holds(const char *text, struct slice part)
{
	return memmem(text, strlen(text), part.p, part.len) != NULL;
}

/* Some advice shows a form; a login that is a piece of it is none that was repeated. */
static bool
login_may_be_ours(struct slice login)
{
	return text_holds("postgresql://USER:PASSWORD@HOST[:PORT]/DATABASE", login) ||
	    text_holds("redis:// or rediss://", login);
}

static void
check_sentence(const struct err *err, const char *url)
{
	const char *scheme = strstr(url, "://"), *at = strrchr(url, '@');
	struct slice login;

	fuzz_check(err_is(err) && err->detail[0] != '\0');
	fuzz_check(json_utf8_valid(slice_str(err->detail)));
	if (scheme == NULL || at == NULL || at - (scheme + 3) < LOGIN_SHOWN_MIN)
		return;
	login = slice_of(scheme + 3, (size_t)(at - scheme - 3));
	fuzz_check(login_may_be_ours(login) || !text_holds(err->detail, login));
}

static bool
same_part(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
read_redis(const char *text)
{
	struct redis_url url;
	struct err err = { 0 };
	bool ok = redis_url_read(&url, text, &err);

	fuzz_check(ok == !err_is(&err));
	if (ok)
		fuzz_check(url.host[0] != '\0' && url.port != 0);
	else
		check_sentence(&err, text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena *arena = arena_new(1u << 20);
	struct pg_target strict = { 0 }, lenient = { 0 };
	struct err e1 = { 0 }, e2 = { 0 };
	char *url = arena_slice(arena, slice_of((const char *)bytes, n));
	bool is_good;

	is_good = pg_url_read(arena, url, PG_URL_STRICT, &strict, &e1);
	fuzz_check(is_good == !err_is(&e1));
	if (is_good)
		check_target(&strict);
	else
		check_sentence(&e1, url);
	if (pg_url_read(arena, url, PG_URL_LENIENT, &lenient, &e2))
		check_target(&lenient);
	else
		check_sentence(&e2, url);
	if (is_good)
		fuzz_check(!err_is(&e2) && same_part(strict.host, lenient.host) &&
		    same_part(strict.user, lenient.user) && strict.port == lenient.port &&
		    same_part(strict.password, lenient.password) &&
		    same_part(strict.dbname, lenient.dbname));
	read_redis(url);
	arena_free(arena);
	return 0;
}
