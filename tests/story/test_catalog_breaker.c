/* SPDX-License-Identifier: MIT */
/* test_catalog_breaker: what failures shut, and what a word or a probe opens again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "catalog/catalog_breaker.h"
#include "tenantgate/base/log.h"

#define SECOND 1000000ull
#define WHY    "timeout expired"

static struct catalog_breaker breaker;
static uint64_t now;

static int
set_up(void **state)
{
	(void)state;
	log_level(LOG_EMERG);
	breaker_init(&breaker);
	now = 1000 * SECOND;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	breaker_destroy(&breaker);
	return 0;
}

/* Whether a statement would be sent now; *is_probe as the breaker says. */
static bool
admits(enum catalog_lane lane, bool *is_probe)
{
	int retry_after = 0;
	bool sent = breaker_admits(&breaker, lane, now, is_probe, &retry_after);

	assert_true(retry_after >= 1 && retry_after <= 11);
	return sent;
}

static void
statement(enum catalog_lane lane, enum catalog_word word)
{
	bool is_probe;

	assert_true(admits(lane, &is_probe));
	breaker_word(&breaker, lane, is_probe, word, WHY, now);
}

static void
fails(enum catalog_lane lane, unsigned times)
{
	while (times-- > 0)
		statement(lane, WORD_UNREACHED);
}

static void
hangs(enum catalog_lane lane, unsigned times)
{
	while (times-- > 0)
		statement(lane, WORD_HUNG);
}

static bool
is_shut(enum catalog_lane lane)
{
	bool is_probe = false;

	return !admits(lane, &is_probe);
}

static bool
is_ill(const char *with)
{
	struct condition c = { 0 };

	breaker_condition(&breaker, &c, now);
	assert_true(!c.is_ill || strstr(c.reason, with) != NULL);
	return c.is_ill;
}

static void
failures_in_a_row_open_their_lane_alone(void **state)
{
	(void)state;
	fails(CATALOG_KEYS, LANE_FAILURES - 1);
	statement(CATALOG_KEYS, WORD_HEARD);
	fails(CATALOG_KEYS, LANE_FAILURES - 1);
	statement(CATALOG_KEYS, WORD_NONE);
	assert_false(breaker_is_open(&breaker, CATALOG_KEYS));
	fails(CATALOG_KEYS, 1);
	assert_true(breaker_is_open(&breaker, CATALOG_KEYS));
	assert_true(is_shut(CATALOG_KEYS));
	assert_false(is_shut(CATALOG_TENANTS));
}

static void
an_open_lane_lets_one_through_at_a_time(void **state)
{
	bool is_probe = false, other = false;

	(void)state;
	fails(CATALOG_KEYS, LANE_FAILURES);
	now += 10 * SECOND;
	assert_true(admits(CATALOG_KEYS, &is_probe));
	assert_true(is_probe);
	assert_false(admits(CATALOG_KEYS, &other));
	/* It left: the next may try. */
	breaker_word(&breaker, CATALOG_KEYS, true, WORD_NONE, "", now);
	assert_true(admits(CATALOG_KEYS, &is_probe));
	breaker_word(&breaker, CATALOG_KEYS, true, WORD_UNREACHED, WHY, now);
	assert_true(is_shut(CATALOG_KEYS));
	now += 10 * SECOND;
	assert_true(admits(CATALOG_KEYS, &is_probe));
	breaker_word(&breaker, CATALOG_KEYS, true, WORD_HEARD, "", now);
	assert_false(is_shut(CATALOG_KEYS));
	assert_false(is_ill(""));
}

static void
a_failure_that_a_probe_confirms_shuts_all_lanes(void **state)
{
	(void)state;
	fails(CATALOG_DOCUMENTS, 1);
	assert_true(breaker_wants_probe(&breaker, now));
	breaker_probed(&breaker, WORD_UNREACHED, WHY, now, now);
	for (unsigned i = 0; i < CATALOG_LANES; i++)
		assert_true(is_shut(i));
	/* However long it takes: only probes go. */
	now += 3600 * SECOND;
	assert_true(is_shut(CATALOG_KEYS));
	assert_true(breaker_wants_probe(&breaker, now));
	breaker_probed(&breaker, WORD_UNREACHED, WHY, now, now);
	assert_true(is_ill(WHY));
	breaker_probed(&breaker, WORD_HEARD, "", now, now);
	for (unsigned i = 0; i < CATALOG_LANES; i++)
		assert_false(is_shut(i));
	assert_false(is_ill(""));
	fails(CATALOG_DOCUMENTS, LANE_FAILURES - 1);
	assert_false(breaker_is_open(&breaker, CATALOG_DOCUMENTS));
}

/* A lock on a table: the server answers probes. */
static void
a_probe_that_is_answered_leaves_a_hung_lane_open(void **state)
{
	(void)state;
	hangs(CATALOG_TENANTS, LANE_FAILURES);
	breaker_probed(&breaker, WORD_HEARD, "", now, now);
	assert_true(is_shut(CATALOG_TENANTS));
	assert_false(is_shut(CATALOG_KEYS));
	assert_true(is_ill("tenants"));
	/* Nobody asks any more: what it was then says nothing of now. */
	now += 60 * SECOND;
	assert_false(is_ill(""));
}

/* Nobody may ask it anything for a while, and it would be told ill for as long as it is open. */
static void
a_probe_that_is_answered_closes_a_lane_that_had_no_connection(void **state)
{
	(void)state;
	fails(CATALOG_DOCUMENTS, LANE_FAILURES);
	statement(CATALOG_KEYS, WORD_HEARD);
	assert_true(is_shut(CATALOG_DOCUMENTS));
	assert_true(is_ill("notes of documents"));
	assert_true(breaker_wants_probe(&breaker, now));
	breaker_probed(&breaker, WORD_NONE, "", now, now);
	assert_true(is_shut(CATALOG_DOCUMENTS));
	breaker_probed(&breaker, WORD_HEARD, "", now, now);
	assert_false(is_shut(CATALOG_DOCUMENTS));
	assert_false(is_ill(""));
	assert_false(breaker_wants_probe(&breaker, now));
}

/* What it was before says nothing: its statements reach the server, and hang there. */
static void
a_lane_that_hangs_in_the_end_is_left_open(void **state)
{
	(void)state;
	fails(CATALOG_DOCUMENTS, LANE_FAILURES - 1);
	hangs(CATALOG_DOCUMENTS, 1);
	breaker_probed(&breaker, WORD_HEARD, "", now, now);
	assert_true(is_shut(CATALOG_DOCUMENTS));
	assert_false(breaker_wants_probe(&breaker, now));
}

static void
a_probe_that_waited_while_others_were_answered_says_nothing(void **state)
{
	uint64_t began = now;

	(void)state;
	fails(CATALOG_KEYS, 1);
	statement(CATALOG_TENANTS, WORD_HEARD);
	now += SECOND;
	breaker_probed(&breaker, WORD_UNREACHED, WHY, began, now);
	assert_false(is_ill(""));
	assert_false(is_shut(CATALOG_KEYS));
}

/* Whoever polls /readyz must neither shut out those with keys nor make them wait for a locked table
 * again and again. */
static void
looks_shut_nothing_and_open_nothing(void **state)
{
	(void)state;
	fails(CATALOG_LOOKS, 3 * LANE_FAILURES);
	assert_true(is_ill(WHY));
	assert_true(breaker_wants_probe(&breaker, now));
	for (unsigned i = 0; i < CATALOG_LANES; i++)
		assert_false(is_shut(i));
	for (unsigned i = 0; i < LANE_FAILURES; i++) {
		statement(CATALOG_LOOKS, WORD_HEARD);
		fails(CATALOG_KEYS, 1);
	}
	assert_true(is_shut(CATALOG_KEYS));
	statement(CATALOG_LOOKS, WORD_HEARD);
	assert_true(is_shut(CATALOG_KEYS));
}

static void
its_condition_is_that_of_the_last_word(void **state)
{
	(void)state;
	assert_true(is_ill("not been reached yet"));
	statement(CATALOG_KEYS, WORD_HEARD);
	assert_false(is_ill(""));
	fails(CATALOG_KEYS, 1);
	assert_true(is_ill(WHY));
	statement(CATALOG_TENANTS, WORD_HEARD);
	assert_false(is_ill(""));
}

static void
it_is_probed_while_somebody_watches_and_else_let_sleep(void **state)
{
	(void)state;
	statement(CATALOG_KEYS, WORD_HEARD);
	now += 10 * SECOND;
	assert_false(breaker_wants_probe(&breaker, now));
	assert_false(is_ill(""));
	assert_true(breaker_wants_probe(&breaker, now));
	breaker_probed(&breaker, WORD_HEARD, "", now, now);
	assert_false(breaker_wants_probe(&breaker, now));
	now += SECOND;
	assert_true(breaker_wants_probe(&breaker, now));
	now += 60 * SECOND;
	assert_false(breaker_wants_probe(&breaker, now));
}

/* A statement that was sent before the server hung is answered before any probe. */
static void
a_return_is_logged_whoever_hears_of_it(void **state)
{
	char path[] = "/tmp/test_catalog_breaker.XXXXXX", text[4096] = "";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0 && log_open(path));
	log_level(LOG_NOTICE);
	fails(CATALOG_DOCUMENTS, 1);
	breaker_probed(&breaker, WORD_UNREACHED, WHY, now, now);
	breaker_word(&breaker, CATALOG_KEYS, false, WORD_HEARD, "", now);
	log_level(LOG_EMERG);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, "catalog.gone"));
	assert_non_null(strstr(text, "catalog.returned"));
	assert_false(is_shut(CATALOG_KEYS));
	close(fd);
	unlink(path);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(failures_in_a_row_open_their_lane_alone),
		CASE(an_open_lane_lets_one_through_at_a_time),
		CASE(a_failure_that_a_probe_confirms_shuts_all_lanes),
		CASE(a_probe_that_is_answered_leaves_a_hung_lane_open),
		CASE(a_probe_that_is_answered_closes_a_lane_that_had_no_connection),
		CASE(a_lane_that_hangs_in_the_end_is_left_open),
		CASE(a_probe_that_waited_while_others_were_answered_says_nothing),
		CASE(looks_shut_nothing_and_open_nothing),
		CASE(a_return_is_logged_whoever_hears_of_it),
		CASE(its_condition_is_that_of_the_last_word),
		CASE(it_is_probed_while_somebody_watches_and_else_let_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
