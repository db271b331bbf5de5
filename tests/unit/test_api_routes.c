/* SPDX-License-Identifier: MIT */
/*
 * test_api_routes: every row of the table has what it needs and is found by its own path alone;
 * what a row makes of the configuration, and whom it lets in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "api/route.h"

#define EACH_ROUTE(r, i) \
	const struct api_route *r; \
	for (size_t i = 0; (r = api_route_at(i)) != NULL; i++)

static struct api_route_match match;

static const struct api_route *
found(const char *method, struct slice path)
{
	memset(&match, 0xa5, sizeof(match));
	return api_route_find(slice_str(method), path, &match) ? match.route : NULL;
}

/* A path of the pattern: each name becomes a segment of its own. */
static struct slice
example(const char *pattern, char out[256])
{
	size_t n = 0;

	for (const char *p = pattern; *p != '\0'; p++) {
		assert_true(n < 250);
		if (*p == '{' || *p == '}')
			out[n++] = '~';
		else
			out[n++] = *p;
	}
	return slice_of(out, n);
}

/* "/a/{b}/c": whole segments, named once each, no more than are captured. */
static void
check_pattern(const char *pattern)
{
	unsigned names = 0;

	assert_int_equal(pattern[0], '/');
	assert_true(strcmp(pattern, "/") == 0 || pattern[strlen(pattern) - 1] != '/');
	for (const char *p = pattern; (p = strchr(p, '{')) != NULL; p++) {
		const char *close = strchr(p, '}');

		assert_int_equal(p[-1], '/');
		assert_non_null(close);
		assert_true(close > p + 1 && (close[1] == '/' || close[1] == '\0'));
		names++;
	}
	assert_true(names <= HTTP_PATH_PARAMS_MAX);
}

static void
every_route_is_whole(void **state)
{
	struct api_conf conf;
	char path[256];

	(void)state;
	api_conf_init(&conf);
	assert_non_null(api_route_at(0));
	EACH_ROUTE(r, i)
	{
		bool reads = strcmp(r->method, "POST") == 0 || strcmp(r->method, "PATCH") == 0 ||
		    strcmp(r->method, "PUT") == 0;

		check_pattern(r->path);
		assert_non_null(r->start);
		assert_ptr_equal(found(r->method, example(r->path, path)), r);
		assert_int_equal(api_route_body_max(r, &conf) > 0, reads);
		assert_int_equal(api_route_timeout_us(r, &conf) > 0, r->callers != 0);
		assert_true(r->callers == 0 || r->in_access_log);
		/* A new route must say which scope it is in: else every key could do it. */
		assert_int_equal(r->scopes != 0, r->callers != 0);
		assert_int_equal(r->scopes & ~SCOPES_ANY, 0);
	}
}

static size_t
segment(const char *p)
{
	return strcspn(p, "/");
}

static bool
overlap(const char *a, const char *b)
{
	while (*a == '/' && *b == '/') {
		size_t na = segment(++a), nb = segment(++b);

		if (*a != '{' && *b != '{' && (na != nb || memcmp(a, b, na) != 0))
			return false;
		a += na;
		b += nb;
	}
	return *a == *b;
}

static void
no_two_routes_overlap(void **state)
{
	(void)state;
	assert_true(overlap("/a/{b}", "/a/c") && overlap("/{a}/b", "/c/{d}"));
	assert_false(overlap("/a/{b}", "/a") || overlap("/a", "/ab") || overlap("/{a}/b", "/a/c"));
	EACH_ROUTE(a, i)
	{
		const struct api_route *b;

		for (size_t j = i + 1; (b = api_route_at(j)) != NULL; j++)
			if (strcmp(a->method, b->method) == 0 && overlap(a->path, b->path))
				fail_msg("%s: %s, %s", a->method, a->path, b->path);
	}
}

static void
an_unknown_path_has_no_route(void **state)
{
	static const struct slice paths[] = { SLICE_LIT("/"), SLICE_LIT("/chat/"),
		SLICE_LIT("/CHAT"), SLICE_LIT("/chat\0"), SLICE_LIT("//chat"), SLICE_LIT("*"),
		SLICE_LIT("/chat//stream"), SLICE_LIT("/chat/a/b/stream"), SLICE_LIT("/chat/a"),
		SLICE_LIT("/cha"), SLICE_LIT("/%63hat"), SLICE_LIT("/chat%2F"), { NULL, 0 } };
	char allow[64];

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_null(found("POST", paths[i]));
		assert_false(api_route_methods(paths[i], allow, sizeof(allow)));
		assert_string_equal(allow, "");
	}
}

static void
a_path_has_its_methods(void **state)
{
	static const char *const table[][2] = { { "/ingest", "POST" }, { "/chat", "POST" },
		{ "/chat/c%201/stream", "GET" }, { "/search", "POST" }, { "/documents", "GET" },
		{ "/documents/a%2Fb", "GET, PATCH, DELETE" }, { "/documents/a/chunks", "GET" },
		{ "/tenant", "PUT, GET" }, { "/tokens", "POST" }, { "/healthz", "GET, HEAD" },
		{ "/readyz", "GET, HEAD" } };
	char allow[64];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct slice path = slice_str(table[i][0]);

		assert_true(api_route_methods(path, allow, sizeof(allow)));
		assert_string_equal(allow, table[i][1]);
		assert_null(found("OPTIONS", path));
		assert_null(found("post", path));
		assert_null(found("", path));
	}
	assert_true(api_route_methods(SLICE_LIT("/readyz"), allow, 8));
	assert_string_equal(allow, "GET");
}

static void
a_route_has_its_ceilings(void **state)
{
	struct api_conf conf = { .document_max = 5u << 20,
		.chat_body_max = 7000,
		.ingest_timeout_us = 11,
		.chat_timeout_us = 13 };
	static const struct {
		const char *path;
		size_t body;
		uint64_t us;
	} table[] = { { "/ingest", (5u << 20) + (256u << 10), 11 }, { "/chat", 7000, 13 },
		{ "/search", 7000, 13 } };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct api_route *r = found("POST", slice_str(table[i].path));

		assert_non_null(r);
		assert_int_equal(api_route_body_max(r, &conf), table[i].body);
		assert_int_equal(api_route_timeout_us(r, &conf), table[i].us);
	}
	assert_int_equal(api_route_body_max(found("GET", SLICE_LIT("/healthz")), &conf), 0);
	assert_int_equal(api_route_timeout_us(found("HEAD", SLICE_LIT("/readyz")), &conf), 0);
}

static void
probes_are_those_of_health(void **state)
{
	static const struct {
		const char *method, *path;
		bool is;
	} table[] = { { "GET", "/healthz", true }, { "HEAD", "/healthz", true },
		{ "GET", "/readyz", true }, { "HEAD", "/readyz", true }, { "OPTIONS", "/", true },
		{ "POST", "/healthz", false }, { "OPTIONS", "/healthz", false },
		{ "GET", "/", false }, { "GET", "/healthz/", false }, { "POST", "/chat", false },
		{ "OPTIONS", "*", false }, { "GET", "/nothing", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(api_is_probe(slice_str(table[i].method), slice_str(table[i].path)),
		    table[i].is);
}

static void
callers_are_judged(unsigned callers, enum caller_kind kind, const char *detail)
{
	const struct api_route row = { .callers = callers };
	struct err err = { 0 };

	assert_int_equal(api_route_allows(&row, kind, &err), detail == NULL);
	assert_int_equal(err.code, detail == NULL ? ERR_NONE : ERR_FORBIDDEN);
	if (detail != NULL)
		assert_string_equal(err.detail, detail);
}

static void
a_route_has_its_callers(void **state)
{
	const unsigned tenants = CALLS(CALLER_TENANT) | CALLS(CALLER_SERVICE) | CALLS(CALLER_TOKEN);

	(void)state;
	for (unsigned kind = CALLER_TENANT; kind <= CALLER_ADMIN; kind++)
		callers_are_judged(0, (enum caller_kind)kind, NULL);
	callers_are_judged(tenants, CALLER_TENANT, NULL);
	callers_are_judged(tenants, CALLER_SERVICE, NULL);
	callers_are_judged(tenants, CALLER_ADMIN,
	    "An admin key has no tenant; use a tenant or service key here.");
	callers_are_judged(CALLS(CALLER_ADMIN), CALLER_ADMIN, NULL);
	callers_are_judged(CALLS(CALLER_ADMIN), CALLER_TENANT,
	    "A tenant key may not do this; use a key of kind admin.");
	callers_are_judged(tenants, CALLER_TOKEN, NULL);
	callers_are_judged(CALLS(CALLER_SERVICE), CALLER_TOKEN,
	    "A token may not do this; use a key of kind service.");
	for (size_t i = 0; i < 3; i++) {
		static const char *const paths[] = { "/ingest", "/chat", "/search" };

		assert_int_equal(found("POST", slice_str(paths[i]))->callers, tenants);
	}
}

/* Every route that asks for a key lets in a key of its scope, a whole one, and no other. */
static void
a_route_has_its_scope(void **state)
{
	(void)state;
	EACH_ROUTE(r, i)
	{
		struct err err = { 0 };

		assert_true(api_route_in_scope(r, SCOPES_UNLIMITED, &err));
		assert_true(api_route_in_scope(r, r->scopes, &err));
		assert_int_equal(api_route_in_scope(r, SCOPES_NAMED & ~r->scopes, &err),
		    r->callers == 0);
		assert_int_equal(err.code, r->callers == 0 ? ERR_NONE : ERR_SCOPE);
	}
}

static void
a_scope_that_lacks_is_named(void **state)
{
	const struct api_route chat = { .callers = 1, .scopes = SCOPE_BIT(SCOPE_CHAT) },
			       whole = { .callers = 1, .scopes = SCOPE_WHOLE_KEY },
			       forgotten = { .callers = 1 };
	struct err err = { 0 }, other = { 0 }, third = { 0 };

	(void)state;
	assert_false(api_route_in_scope(&chat, SCOPE_BIT(SCOPE_SEARCH), &err));
	assert_string_equal(err.detail, "This key has not the scope chat; use a key that has it.");
	assert_int_equal(err_status(err.code), 403);
	assert_string_equal(err_slug(err.code), "insufficient_scope");
	assert_false(api_route_in_scope(&whole, SCOPES_NAMED, &other));
	assert_string_equal(other.detail,
	    "This key is limited to scopes, and none of them is for this; use a key without "
	    "scopes.");
	assert_false(api_route_in_scope(&forgotten, SCOPES_NAMED, &third));
	assert_true(api_route_in_scope(&forgotten, SCOPES_UNLIMITED, &third));
}

/* Who has its user's documents alone is let in where that is known, and nowhere by default. */
static void
a_route_knows_own_or_is_closed_to_it(void **state)
{
	const struct api_route knows = { .callers = 1, .knows_own = true },
			       other = { .callers = 1 };
	const struct caller everybodys = { .kind = CALLER_TOKEN, .user = "mia" },
			    own = { .kind = CALLER_TOKEN, .user = "mia", .has_own_only = true },
			    nobodys = { .kind = CALLER_TOKEN, .has_own_only = true };
	struct err err = { 0 }, of_nobody = { 0 };

	(void)state;
	assert_true(api_route_knows_own(&other, &everybodys, &err));
	assert_true(api_route_knows_own(&knows, &own, &err));
	assert_int_equal(err.code, ERR_NONE);
	assert_false(api_route_knows_own(&other, &own, &err));
	assert_int_equal(err.code, ERR_SCOPE);
	assert_false(api_route_knows_own(&knows, &nobodys, &of_nobody));
	assert_int_equal(of_nobody.code, ERR_SCOPE);
}

/* Nothing that makes tokens, or that is said of a tenant, is for a token. */
static void
no_token_makes_tokens(void **state)
{
	static const char *const rows[][2] = { { "POST", "/tokens" }, { "PUT", "/tenant" },
		{ "GET", "/tenant" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(found(rows[i][0], slice_str(rows[i][1]))->callers,
		    CALLS(CALLER_SERVICE));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_route_is_whole),
		cmocka_unit_test(no_two_routes_overlap),
		cmocka_unit_test(an_unknown_path_has_no_route),
		cmocka_unit_test(a_path_has_its_methods),
		cmocka_unit_test(a_route_has_its_ceilings),
		cmocka_unit_test(probes_are_those_of_health),
		cmocka_unit_test(a_route_has_its_callers),
		cmocka_unit_test(a_route_has_its_scope),
		cmocka_unit_test(a_scope_that_lacks_is_named),
		cmocka_unit_test(a_route_knows_own_or_is_closed_to_it),
		cmocka_unit_test(no_token_makes_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
