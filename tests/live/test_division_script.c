/* SPDX-License-Identifier: MIT */
/*
 * The script that divides a key among replicas, in a true Redis, at a clock of the test's own: many
 * replicas whose beats are lost, late, or answered late, who come, leave and die, while Redis is
 * emptied, stands still or changes its clock. After each event all that they may hold adds up to
 * the capacity at most. Skipped (exit 77) without TEST_REDIS, a host:port of whose database 9 only
 * the keys of environments "test:PID" are written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "division_fixture.h"

#define CAPACITY 83
#define MODELS	 12
#define BEATS	 6000
#define BEAT_MS	 2000
#define CALM_MS	 6000 /* after a flush: no newcomer */

static struct model_replica models[MODELS];
static uint64_t calm_until_ms;
static unsigned overtaken, flushes, pauses, jumps, joins;

/* ---- the replicas ---- */

static unsigned
held(const struct model_replica *m)
{
	return m->demand.used > m->demand.limit ? m->demand.used : m->demand.limit;
}

static void
the_sum_is_within_the_capacity(const char *after)
{
	unsigned sum = 0;

	for (int i = 0; i < MODELS; i++)
		if (models[i].is_alive)
			sum += held(&models[i]);
	if (sum > CAPACITY)
		fail_msg("%u of %u are held after %s at %llu ms", sum, CAPACITY, after,
		    (unsigned long long)division_fixture.now_ms);
}

static void
model_join(struct model_replica *m)
{
	memset(m, 0, sizeof(*m));
	m->is_alive = true;
	(void)snprintf(m->id, sizeof(m->id), "r%u", ++joins);
	m->demand = (struct replica_demand){ .key = SLICE_LIT("db:5432"),
		.capacity = CAPACITY,
		.want = chance(CAPACITY) };
	m->next_ms = division_fixture.now_ms + chance(BEAT_MS);
}

/* What is above the limit only becomes less. */
static void
model_work(struct model_replica *m)
{
	unsigned most = held(m);

	m->demand.used = chance(3) == 0 ? m->demand.used : chance(most + 1);
	if (chance(4) == 0)
		m->demand.want = chance(5) == 0 ? 0 : chance(CAPACITY * 2);
}

static void
model_leave(struct model_replica *m)
{
	struct division_caller caller = { division_fixture.environment, m->id, 0, false };

	m->is_alive = false;
	if (chance(2) == 0)
		return; /* it was killed */
	division_leave(division_fixture.redis, &caller, &m->demand);
	division_leave(division_fixture.redis, &caller, NULL);
}

static void
model_apply(struct model_replica *m, unsigned limit)
{
	m->demand.limit = limit;
	m->demand.is_told = true;
}

/* The command of a connection that was given up is read now, after a later one. */
static void
model_late(struct model_replica *m)
{
	unsigned limit;

	if (m->late_serial != 0 && !divided(m, m->late_serial, &m->late_demand, &limit))
		overtaken++;
	m->late_serial = 0;
}

static void
model_beat(struct model_replica *m)
{
	unsigned kind = chance(100), limit = 0;

	m->next_ms = division_fixture.now_ms + BEAT_MS - chance(300);
	m->serial++;
	if (kind < 8 && m->late_serial == 0) { /* lies in a socket */
		m->late_serial = m->serial;
		m->late_demand = m->demand;
		return;
	}
	assert_true(divided(m, m->serial, &m->demand, &limit));
	if (kind < 20) { /* the answer comes later */
		m->is_answered = true;
		m->answer = limit;
		m->next_ms = division_fixture.now_ms + chance(1500);
	} else if (kind >= 28) { /* else the answer is lost */
		model_apply(m, limit);
	}
	model_late(m);
}

static void
model_turn(struct model_replica *m)
{
	if (m->is_answered) {
		m->is_answered = false;
		model_apply(m, m->answer);
		m->next_ms = division_fixture.now_ms + chance(BEAT_MS);
		return;
	}
	model_beat(m);
}

static struct model_replica *
model_next(void)
{
	struct model_replica *first = NULL;

	for (int i = 0; i < MODELS; i++)
		if (models[i].is_alive && (first == NULL || models[i].next_ms < first->next_ms))
			first = &models[i];
	return first;
}

/* ---- what becomes of Redis ---- */

/* Then it gets a tenth from a new table, whatever those have who were not heard yet. */
static bool
somebody_is_untold(void)
{
	for (int i = 0; i < MODELS; i++)
		if (models[i].is_alive && !models[i].demand.is_told)
			return true;
	return false;
}

static void
redis_mishap(void)
{
	switch (chance(400)) {
	case 0: /* emptied */
		if (somebody_is_untold())
			break;
		division_forget();
		calm_until_ms = division_fixture.now_ms + CALM_MS;
		flushes++;
		break;
	case 1: /* hung: no beat is read meanwhile */
		for (int i = 0; i < MODELS; i++)
			models[i].next_ms += 15000;
		division_fixture.now_ms += 15000;
		pauses++;
		break;
	case 2:
		division_fixture.offset_ms += chance(2) == 0 ? 3600000 : -3600000;
		jumps++;
		break;
	default:
		break;
	}
}

static void
someone_comes_or_goes(void)
{
	struct model_replica *m = &models[chance(MODELS)];

	if (m->is_alive && chance(3) == 0)
		model_leave(m);
	else if (!m->is_alive && division_fixture.now_ms >= calm_until_ms)
		model_join(m);
}

static void
limits_never_add_up_to_more_than_the_capacity(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		model_join(&models[i]);
	for (int i = 0; i < BEATS; i++) {
		struct model_replica *m = model_next();

		if (m != NULL) {
			division_fixture.now_ms = m->next_ms > division_fixture.now_ms
			    ? m->next_ms
			    : division_fixture.now_ms;
			model_turn(m);
			the_sum_is_within_the_capacity("a beat");
			model_work(m);
		}
		if (chance(20) == 0)
			someone_comes_or_goes();
		redis_mishap();
		the_sum_is_within_the_capacity("a mishap");
	}
	print_message("%u joined; %u overtaken calls, %u flushes, %u pauses, %u jumps\n", joins,
	    overtaken, flushes, pauses, jumps);
	assert_true(overtaken > 50 && flushes > 3 && pauses > 3 && jumps > 3 && joins > 20);
}

/* ---- in peace ---- */

static void
peace(unsigned replicas, const unsigned *wants, unsigned rounds)
{
	for (unsigned k = 0; k < rounds; k++) {
		for (unsigned i = 0; i < replicas; i++) {
			struct model_replica *m = &models[i];
			unsigned limit;

			m->demand.want = wants[i];
			assert_true(divided(m, ++m->serial, &m->demand, &limit));
			model_apply(m, limit);
			if (m->demand.used > limit)
				m->demand.used = limit;
			if (wants[i] >= limit)
				m->demand.used = limit;
			the_sum_is_within_the_capacity("a beat in peace");
			division_fixture.now_ms += 500;
		}
	}
}

static void
a_new_table_gives_a_tenth_and_then_all(void **state)
{
	const unsigned want = 1000;

	(void)state;
	model_join(&models[0]);
	peace(1, &want, 1);
	assert_int_equal(models[0].demand.limit, CAPACITY / 10);
	peace(1, &want, 12);
	assert_int_equal(models[0].demand.limit, CAPACITY);
	assert_int_equal(division_fixture.live, 1);
}

static void
hot_replicas_share_what_idle_ones_leave(void **state)
{
	const unsigned wants[5] = { 1000, 1000, 0, 0, 0 };

	(void)state;
	for (int i = 0; i < 5; i++)
		model_join(&models[i]);
	peace(5, wants, 20);
	assert_int_equal(division_fixture.live, 5);
	/* An idle one keeps a quarter of an equal part: 83 / 20. */
	for (int i = 2; i < 5; i++)
		assert_int_equal(models[i].demand.limit, 4);
	assert_int_equal(models[0].demand.limit, (CAPACITY - 12) / 2);
	assert_int_equal(models[1].demand.limit, (CAPACITY - 12) / 2);
}

static void
a_newcomer_has_its_part_in_three_beats(void **state)
{
	const unsigned wants[3] = { 1000, 1000, 1000 };

	(void)state;
	model_join(&models[0]);
	model_join(&models[1]);
	peace(2, wants, 10);
	model_join(&models[2]);
	peace(3, wants, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(models[i].demand.limit, CAPACITY / 3);
}

static void
the_dead_give_way_after_ten_seconds_the_departed_at_once(void **state)
{
	const unsigned wants[2] = { 1000, 1000 };

	(void)state;
	model_join(&models[0]);
	model_join(&models[1]);
	peace(2, wants, 12);
	models[1].is_alive = false;
	peace(1, wants, 18); /* nine seconds */
	assert_int_equal(models[0].demand.limit, CAPACITY / 2);
	peace(1, wants, 4);
	assert_int_equal(models[0].demand.limit, CAPACITY);
	assert_int_equal(division_fixture.live, 1);

	model_join(&models[1]);
	peace(2, wants, 12);
	assert_int_equal(models[0].demand.limit, CAPACITY / 2);
	do {
		model_leave(&models[1]);
		peace(1, wants, 1);
	} while (division_fixture.live == 2);
	assert_int_equal(models[0].demand.limit, CAPACITY);
}

static void
more_replicas_than_connections_take_turns_at_one(void **state)
{
	static unsigned wants[MODELS];
	unsigned sum = 0;

	(void)state;
	for (int i = 0; i < MODELS; i++) {
		model_join(&models[i]);
		models[i].demand.capacity = 5;
		wants[i] = 9;
	}
	peace(MODELS, wants, 12);
	for (int i = 0; i < MODELS; i++)
		sum += models[i].demand.limit;
	assert_int_equal(sum, 5);
}

/* Cut off from Redis for so long that it was taken for dead, it kept its limit: it is counted with
 * it, and all come down to the capacity. */
static void
who_returns_from_the_dead_is_counted(void **state)
{
	const unsigned wants[2] = { 1000, 1000 };
	unsigned limit;

	(void)state;
	model_join(&models[0]);
	model_join(&models[1]);
	peace(2, wants, 12);
	models[1].is_alive = false;
	peace(1, wants, 30);
	assert_int_equal(models[0].demand.limit, CAPACITY);
	models[1].is_alive = true; /* 41 here, 83 there */
	assert_true(divided(&models[1], ++models[1].serial, &models[1].demand, &limit));
	assert_int_equal(limit, 0);
	model_apply(&models[1], limit);
	models[1].demand.used = 0;
	peace(2, wants, 4);
	assert_int_equal(models[0].demand.limit, CAPACITY / 2);
	assert_int_equal(models[1].demand.limit, CAPACITY / 2);
}

/* ---- */

static int
set_up(void **state)
{
	memset(models, 0, sizeof(models));
	calm_until_ms = 0;
	joins = 0;
	return division_fixture_set_up(state);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, division_fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(limits_never_add_up_to_more_than_the_capacity),
		TEST(a_new_table_gives_a_tenth_and_then_all),
		TEST(hot_replicas_share_what_idle_ones_leave),
		TEST(a_newcomer_has_its_part_in_three_beats),
		TEST(the_dead_give_way_after_ten_seconds_the_departed_at_once),
		TEST(more_replicas_than_connections_take_turns_at_one),
		TEST(who_returns_from_the_dead_is_counted),
	};

	if (getenv("TEST_REDIS") == NULL) {
		(void)printf("skipped: TEST_REDIS=host:port is not set\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
