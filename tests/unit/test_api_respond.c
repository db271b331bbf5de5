/* SPDX-License-Identifier: MIT */
/*
 * test_api_respond: which handler a path reaches, and what every response carries. http/ and the
 * handlers are fakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/handlers.h"
#include "api/respond.h"
#include "fake_handlers.h"
#include "fake_http.h"
#include "tenantgate/base/json.h"

static struct http_exchange exchange;
static struct api_conf conf;
static const struct api_context ctx = { .conf = &conf };

static void
respond_to(const char *method, struct slice path)
{
	exchange = (struct http_exchange){ .method = slice_str(method), .path = path };
	handler_started = NULL;
	api_handle(&exchange, (void *)(uintptr_t)&ctx);
	assert_int_equal(exchange.ended, 1);
}

static void
has_header(const char *line)
{
	if (strstr(exchange.headers, line) == NULL)
		fail_msg("no \"%s\" in\n%s", line, exchange.headers);
}

/* The body is a problem with this status and code, and the request id of the header. */
static void
has_problem(int status, const char *code)
{
	struct err err = { 0 };
	json_t *problem = json_read_object(slice_str(exchange.body), &err);
	char id[128];

	assert_non_null(problem);
	assert_int_equal(exchange.status, status);
	assert_string_equal(exchange.type, "application/problem+json");
	assert_int_equal(json_integer_value(json_object_get(problem, "status")), status);
	assert_string_equal(json_string_value(json_object_get(problem, "code")), code);
	assert_non_null(json_string_value(json_object_get(problem, "title")));
	assert_non_null(json_string_value(json_object_get(problem, "detail")));
	snprintf(id, sizeof(id), "X-Request-Id: %s\n",
	    json_string_value(json_object_get(problem, "request_id")));
	has_header(id);
	json_decref(problem);
}

static void
known_paths_reach_their_handlers(void **state)
{
	static const char *const table[][3] = {
		{ "POST", "/ingest", "ingest_start" },
		{ "POST", "/chat", "chat_start" },
		{ "POST", "/search", "search_start" },
		{ "GET", "/healthz", "healthz_start" },
		{ "HEAD", "/healthz", "healthz_start" },
		{ "GET", "/readyz", "readyz_start" },
		{ "OPTIONS", "/", "options_start" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		respond_to(table[i][0], slice_str(table[i][1]));
		assert_non_null(handler_started);
		assert_string_equal(handler_started, table[i][2]);
	}
}

static void
an_unknown_path_is_a_404(void **state)
{
	static const struct slice paths[] = { SLICE_LIT("/"), SLICE_LIT("/chat/"),
		SLICE_LIT("/CHAT"), SLICE_LIT("/chat\0"), SLICE_LIT("//chat"), SLICE_LIT("*"),
		SLICE_LIT("/cha"), SLICE_LIT("/%63hat") };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		respond_to("POST", paths[i]);
		assert_null(handler_started);
		has_problem(404, "not_found");
		assert_null(strstr(exchange.headers, "Allow"));
	}
}

static void
a_wrong_method_is_a_405(void **state)
{
	(void)state;
	respond_to("GET", SLICE_LIT("/chat"));
	has_problem(405, "method_not_allowed");
	has_header("Allow: POST\n");
	respond_to("post", SLICE_LIT("/ingest"));
	has_problem(405, "method_not_allowed");
	respond_to("DELETE", SLICE_LIT("/healthz"));
	has_problem(405, "method_not_allowed");
	has_header("Allow: GET, HEAD\n");
	respond_to("OPTIONS", SLICE_LIT("/readyz"));
	has_header("Allow: GET, HEAD\n");
	assert_null(handler_started);
}

static bool
id_kept(struct slice asked)
{
	char id[REQUEST_ID_MAX + 1];

	memset(id, 'z', sizeof(id));
	exchange = (struct http_exchange){ .request_id = asked };
	request_id_choose(&exchange, id);
	assert_non_null(memchr(id, '\0', sizeof(id)));
	if (slice_is(asked, id))
		return true;
	assert_int_equal(strlen(id), 20);
	return false;
}

static void
a_request_has_an_id(void **state)
{
	char id[REQUEST_ID_MAX + 1];

	(void)state;
	memset(id, 'i', sizeof(id));
	assert_true(id_kept(SLICE_LIT("a-1_b.c:D")));
	assert_true(id_kept(slice_of(id, REQUEST_ID_MAX)));
	assert_false(id_kept(slice_of(id, REQUEST_ID_MAX + 1)));
	assert_false(id_kept((struct slice){ 0 }));
	assert_false(id_kept(SLICE_LIT("")));
	assert_false(id_kept(SLICE_LIT("a b")));
	assert_false(id_kept(SLICE_LIT("a\0b")));
	assert_false(id_kept(SLICE_LIT("a\r\nX: y")));
	assert_false(id_kept(SLICE_LIT("\"},{\"")));
	assert_false(id_kept(SLICE_LIT("\xc3\xa9")));
}

static void
check_problem(enum err_code code, int retry_after)
{
	struct err err = { 0 };

	err_set(&err, code, "Why: \"%s\".", "\x1b\xff\\");
	err.retry_after = retry_after;
	exchange = (struct http_exchange){ 0 };
	http_set(&exchange, "X-Request-Id", "r1");
	http_problem(&exchange, &err, "r1");
	has_problem(err_status(code), err_slug(code));
}

static void
an_error_is_a_problem_document(void **state)
{
	(void)state;
	for (int code = ERR_NONE + 1; code < ERR_CODES; code++)
		check_problem((enum err_code)code, 0);
	check_problem(ERR_RATE_LIMITED, 7);
	has_header("Retry-After: 7\n");
	check_problem(ERR_POOL_TIMEOUT, 0);
	has_header("Retry-After: 1\n");
	check_problem(ERR_UNAUTHENTICATED, 0);
	has_header("WWW-Authenticate: Bearer");
	check_problem(ERR_DATABASE, 0);
	assert_null(strstr(exchange.headers, "Retry-After"));
	assert_string_equal(exchange.body,
	    "{\"type\":\"about:blank\",\"title\":\"Tenant database failed\",\"status\":502,"
	    "\"detail\":\"Why: \\\"??\\\\\\\".\",\"code\":\"database_failed\","
	    "\"request_id\":\"r1\"}");
}

static void
limits_have_types_of_their_own(void **state)
{
#define TYPES "{\"type\":\"https://iana.org/assignments/http-problem-types#"
	static const struct {
		enum err_code code;
		const char *type;
	} table[] = {
		{ ERR_RATE_LIMITED, TYPES "quota-exceeded\"" },
		{ ERR_OVERLOADED, TYPES "temporary-reduced-capacity\"" },
		{ ERR_POOL_TIMEOUT, TYPES "temporary-reduced-capacity\"" },
		{ ERR_CATALOG, "{\"type\":\"about:blank\"" },
	};
	struct err err = { .code = ERR_RATE_LIMITED, .policy = "key" };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		check_problem(table[i].code, 0);
		assert_ptr_equal(strstr(exchange.body, table[i].type), exchange.body);
		assert_null(strstr(exchange.body, "violated"));
	}
	exchange = (struct http_exchange){ 0 };
	http_problem(&exchange, &err, "r1");
	assert_non_null(strstr(exchange.body, ",\"violated-policies\":[\"key\"]}"));
}

/* What a tenant's 600 a minute and a key's 120 say under a setting. */
static void
limits_are(enum ratelimit_headers which, const struct limit_verdict *v, const char *fields)
{
	static struct request req;

	conf.ratelimit_headers = which;
	exchange = (struct http_exchange){ 0 };
	req = (struct request){ .ctx = &ctx, .conf = &conf, .x = &exchange, .verdict = *v };
	req.rules[0] = (struct limit_rule){ .count = 600, .period_us = 60000000 };
	req.rules[1] = (struct limit_rule){ .count = 120, .period_us = 60000000 };
	respond_limits(&req);
	assert_string_equal(exchange.headers, fields);
}

#define POLICIES "RateLimit-Policy: \"tenant\";q=600;w=60, \"key\";q=120;w=60\n"
#define LEGACY	 "RateLimit-Limit: 120\nRateLimit-Remaining: 0\nRateLimit-Reset: 60\n"

static void
limits_are_in_the_header(void **state)
{
	struct limit_verdict v = { .which = 1, .limit = 120, .reset_s = 60, .more_s = 37 };

	(void)state;
	limits_are(RATELIMIT_DRAFT, &v, POLICIES "RateLimit: \"key\";r=0;t=37\n");
	limits_are(RATELIMIT_LEGACY, &v, LEGACY);
	limits_are(RATELIMIT_BOTH, &v, POLICIES "RateLimit: \"key\";r=0;t=37\n" LEGACY);
	limits_are(RATELIMIT_OFF, &v, "");
	v.limit = 0;
	limits_are(RATELIMIT_BOTH, &v, "");
}

static void
nobody_is_asked_back_before_there_is_more(void **state)
{
	static struct request req;
	struct err err = { .code = ERR_OVERLOADED, .retry_after = 2 };

	(void)state;
	conf.ratelimit_headers = RATELIMIT_DRAFT;
	req = (struct request){ .ctx = &ctx,
		.conf = &conf,
		.x = &exchange,
		.verdict = { .more_s = 37 } };
	exchange = (struct http_exchange){ 0 };
	respond_problem(&req, &err);
	has_header("Retry-After: 37\n");
	err.retry_after = 40;
	exchange = (struct http_exchange){ 0 };
	respond_problem(&req, &err);
	has_header("Retry-After: 40\n");
	err = (struct err){ .code = ERR_DATABASE };
	exchange = (struct http_exchange){ 0 };
	respond_problem(&req, &err);
	assert_null(strstr(exchange.headers, "Retry-After"));
}

/* Whatever the path's handler is, it is not started. */
static void
a_preflight_is_answered_in_the_place_of_a_handler(void **state)
{
	static const char *const paths[][2] = {
		{ "/chat", "Access-Control-Allow-Methods: POST\n" },
		{ "/documents/a", "Access-Control-Allow-Methods: GET, PATCH, DELETE\n" },
		{ "/", "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE\n" },
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(paths) / sizeof(paths[0]); i++) {
		bool is_listed = i % 2 == 0;

		exchange = (struct http_exchange){ .method = SLICE_LIT("OPTIONS"),
			.path = slice_str(paths[i / 2][0]),
			.origin = SLICE_LIT("https://app.example.com"),
			.asks_method = SLICE_LIT("POST"),
			.origin_is_listed = is_listed };
		handler_started = NULL;
		api_handle(&exchange, (void *)(uintptr_t)&ctx);
		assert_null(handler_started);
		assert_int_equal(exchange.ended, 1);
		assert_int_equal(exchange.status, 204);
		assert_int_equal(strstr(exchange.headers, "Access-Control-") != NULL, is_listed);
		if (is_listed)
			has_header(paths[i / 2][1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_preflight_is_answered_in_the_place_of_a_handler),
		cmocka_unit_test(known_paths_reach_their_handlers),
		cmocka_unit_test(an_unknown_path_is_a_404),
		cmocka_unit_test(a_wrong_method_is_a_405),
		cmocka_unit_test(a_request_has_an_id),
		cmocka_unit_test(an_error_is_a_problem_document),
		cmocka_unit_test(limits_have_types_of_their_own),
		cmocka_unit_test(limits_are_in_the_header),
		cmocka_unit_test(nobody_is_asked_back_before_there_is_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
