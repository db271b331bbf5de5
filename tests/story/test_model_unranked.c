/* SPDX-License-Identifier: MIT */
/*
 * model_rerank() where something goes wrong: its caller goes on, unranked and in time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rerank_asker.h"
#include "tenantgate/base/log.h"

static const struct scripted_response silent[] = { { "200 OK", NULL, NULL, SILENCE }, { 0 } };

struct unranked {
	struct scripted_response response;
	enum err_code why;
	const char *says;
};

static const struct unranked failures[] = {
	{ { "500 Oh", NULL, "{}", WHOLE }, ERR_MODEL, "failed (HTTP 500)" },
	{ { "429 Slow", "Retry-After: 40\r\n", "{}", WHOLE }, ERR_OVERLOADED, "overloaded" },
	{ { "401 No", NULL, "{}", WHOLE }, ERR_MODEL, "refused" },
	{ { "404 No", NULL, "{}", WHOLE }, ERR_MODEL, "refused" },
	{ { "200 OK", NULL, "<html>", WHOLE }, ERR_MODEL, "cannot be used" },
	{ { "200 OK", JSON, "{\"error\":{\"message\":\"no\"}}", WHOLE }, ERR_MODEL, "reported" },
	{ { "200 OK", JSON, "{\"results\":[", CUT }, ERR_MODEL, "broke off" },
	{ { NULL, NULL, NULL, LOST }, ERR_MODEL, "broke off" },
	{ { "200 OK", JSON, RESULTS(RESULT("0", "1")), WHOLE }, ERR_MODEL, "missing" },
	{ { "200 OK", JSON, RESULTS(RESULT("0", "1") "," RESULT("0", "1")), WHOLE }, ERR_MODEL,
	    "twice" },
	{ { "200 OK", JSON, RESULTS(RESULT("0", "1") "," RESULT("3", "1")), WHOLE }, ERR_MODEL,
	    "out of range" },
	{ { "200 OK", JSON, RESULTS(RESULT("0", "NaN") "," RESULT("1", "1")), WHOLE }, ERR_MODEL,
	    "shape" },
};

static void
whatever_fails_is_unranked(void **state)
{
	struct model_conf conf;
	struct rerank_asker a;

	(void)state;
	rerank_conf(&conf);
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		const struct unranked *u = &failures[i];
		struct scripted_response script[] = { u->response, { 0 } };

		if (u->response.form == LOST)
			script[0].status = "";
		model_fixture_reopen(&conf);
		rerank_asker_run(&a, script);
		if (a.ranking.ranked || a.ranking.why.code != u->why ||
		    strstr(a.ranking.why.detail, u->says) == NULL)
			fail_msg("%s %s: %d, %s", u->response.status, u->response.body,
			    a.ranking.ranked, a.ranking.why.detail);
	}
}

/* Past its ceiling nothing is read. */
static void
a_response_has_a_ceiling(void **state)
{
	static char body[64 << 10];
	const struct scripted_response script[] = { { "200 OK", JSON, body, WHOLE }, { 0 } };
	struct rerank_asker a;

	(void)state;
	memset(body, ' ', sizeof(body) - 1);
	memcpy(body, BEST_LAST, sizeof(BEST_LAST) - 1);
	rerank_asker_run(&a, script);
	assert_false(a.ranking.ranked);
	memset(body + 4096, '\0', sizeof(body) - 4096);
	rerank_asker_run(&a, script);
	assert_true(a.ranking.ranked);
}

/* The wait for a place, the tries and the pauses between them together; and then the server is left
 * alone: with five of them in a row the sixth asks nobody. */
static void
a_server_that_is_too_slow_costs_no_more_than_the_deadline(void **state)
{
	static const char *const tenants[] = { "a", "b", "c", "d", "e" };
	struct model_conf conf;
	struct rerank_asker a;

	(void)state;
	rerank_conf(&conf);
	conf.rerank_timeout_us = 200000;
	conf.retries = 5;
	model_fixture_reopen(&conf);
	model_fixture_script(silent);
	for (unsigned i = 0; i < 5; i++) {
		rerank_asker_asks(&a, tenants[i]);
		turn_until(model_fixture.worker, &a.probe.ended);
		assert_true(a.went_on && !a.ranking.ranked);
		assert_int_equal(a.ranking.why.code, ERR_MODEL_TIMEOUT);
	}
	rerank_asker_asks(&a, "f");
	turn_until(model_fixture.worker, &a.probe.ended);
	assert_true(a.went_on && !a.ranking.ranked);
	assert_int_equal(a.ranking.why.code, ERR_OVERLOADED);
}

/* The place is one of one: whoever waits for it too long goes on. */
static void
who_gets_no_place_is_unranked(void **state)
{
	static struct rerank_asker first, second;
	struct model_conf conf;

	(void)state;
	rerank_conf(&conf);
	conf.reranks_max = 1;
	conf.rerank_timeout_us = 300000;
	model_fixture_reopen(&conf);
	model_fixture_script(silent);
	rerank_asker_asks(&first, "t");
	turn_until_count(model_fixture.worker, &model_fixture.requests, 1);
	rerank_asker_asks(&second, "u");
	turn_until(model_fixture.worker, &second.probe.ended);
	turn_until(model_fixture.worker, &first.probe.ended);
	assert_true(first.went_on && !first.ranking.ranked);
	assert_true(second.went_on && !second.ranking.ranked);
}

static void
one_that_is_left_ends_its_request(void **state)
{
	struct rerank_asker a;

	(void)state;
	model_fixture_script(silent);
	rerank_asker_asks(&a, "acme");
	turn_until_count(model_fixture.worker, &model_fixture.requests, 1);
	flow_abort(&a.probe.flow, ERR_CLIENT_GONE, "left");
	model_fixture_turn_until_idle();
	assert_int_equal(a.probe.err.code, ERR_CLIENT_GONE);
	turn_until_count(model_fixture.worker, &model_fixture.peer.closed, 1);
}

/* The log has its failures once a minute, and of what the server said nothing that quotes. */
static void
failures_are_logged_once_a_minute(void **state)
{
	const struct scripted_response script[] = { { "500 Oh", NULL, "{}", WHOLE }, { 0 } };
	char path[] = "/tmp/model-log-XXXXXX", lines[8192];
	struct rerank_asker a;
	unsigned unranked = 0;
	ssize_t n;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd != -1 && log_open(path));
	log_level(LOG_WARNING);
	for (unsigned i = 0; i < 3; i++)
		rerank_asker_run(&a, script);
	assert_true(log_open(NULL));
	n = read(fd, lines, sizeof(lines) - 1);
	lines[n > 0 ? n : 0] = '\0';
	close(fd);
	unlink(path);
	for (const char *at = lines; (at = strstr(at, "\"model.unranked\"")) != NULL; at++)
		unranked++;
	assert_int_equal(unranked, 1);
	assert_non_null(strstr(lines, "'judge' gave no ranking"));
	assert_null(strstr(strstr(lines, "\"model.refused\"") + 1, "\"model.refused\""));
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rerank_set_up, model_fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(failures_are_logged_once_a_minute), /* first: the minute is the process's */
		TEST(whatever_fails_is_unranked),
		TEST(a_response_has_a_ceiling),
		TEST(a_server_that_is_too_slow_costs_no_more_than_the_deadline),
		TEST(who_gets_no_place_is_unranked),
		TEST(one_that_is_left_ends_its_request),
	};

	return cmocka_run_group_tests_name("model_unranked", tests, NULL, NULL);
}
