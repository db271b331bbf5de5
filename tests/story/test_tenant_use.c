/* SPDX-License-Identifier: MIT */
/*
 * test_tenant_use: flows that work for a tenant end when it does, whoever says so first, and never
 * by a word that the catalog does not confirm.
 */
#include "tenant_lookup_fixture.h"

#include "tenantgate/tenant/use.h"

struct work {
	struct flow flow;
	struct tenant_use use;
	struct timer timer;
	struct err err;
	unsigned ended;
};

static struct work works[2];

static enum flow_rc
work_step(struct flow *f)
{
	return flow_sleep(f, &((struct work *)f)->timer, 3600 * SECOND);
}

static void
use_work_end(struct flow *f, const struct err *err)
{
	struct work *w = (struct work *)f;

	tenant_use_end(&w->use);
	w->err = *err;
	w->ended++;
}

static const struct flow_step work_steps[] = { { "work", work_step }, { NULL, NULL } };
static const struct flow_kind work_kind = { "work", work_steps, use_work_end, NULL };

static void
work_begins(struct tenants_fixture *w, unsigned i, const char *id)
{
	memset(&works[i], 0, sizeof(works[i]));
	flow_start(&works[i].flow, &work_kind, w->worker, NULL);
	tenant_use_begin(w->tenants, &works[i].use, id, &works[i].flow);
	worker_turn(w->worker, 0);
}

/* Until nothing but the work goes on. */
static void
turn_until_quiet(struct tenants_fixture *w)
{
	for (unsigned i = 0; i < 200 && flow_count(w->worker) > 2 - works[0].ended - works[1].ended;
	     i++)
		worker_turn(w->worker, 20);
}

static void
works_stop(struct tenants_fixture *w)
{
	flow_abort_all(w->worker, ERR_SHUTDOWN, "The test is over.");
	turn_until_idle(w->worker);
}

static void
two_work(struct tenants_fixture *w)
{
	work_begins(w, 0, "acme");
	work_begins(w, 1, "other");
}

static void
another_replica_s_message_ends_what_the_catalog_says_has_ended(void **state)
{
	struct tenants_fixture *w = *state;

	two_work(w);
	fake_catalog_returns(a_suspended_row, 0);
	others_publish(w, "elsewhr8:acme");
	turn_until_quiet(w);
	assert_int_equal(works[0].ended, 1);
	assert_int_equal(works[0].err.code, ERR_SUSPENDED);
	assert_int_equal(works[1].ended, 0);
	works_stop(w);
}

static void
a_forged_message_costs_a_lookup_and_no_more(void **state)
{
	struct tenants_fixture *w = *state;

	two_work(w);
	fake_catalog_returns(a_ready_row, 0);
	others_publish(w, "elsewhr8:acme");
	others_publish(w, "elsewhr8:nobody");
	turn_until_quiet(w);
	assert_int_equal(fake_catalog_asked(), 1);
	assert_int_equal(works[0].ended + works[1].ended, 0);
	works_stop(w);
}

static void
a_tenant_with_settings_of_its_own_is_looked_at_like_any(void **state)
{
	struct tenants_fixture *w = *state;

	two_work(w);
	fake_catalog_returns(a_row_with_settings, 0);
	others_publish(w, "elsewhr8:acme");
	turn_until_quiet(w);
	assert_int_equal(fake_catalog_asked(), 1);
	assert_int_equal(works[0].ended, 0);
	works_stop(w);
}

static void
a_catalog_that_is_away_ends_nothing(void **state)
{
	struct tenants_fixture *w = *state;

	two_work(w);
	fake_catalog_returns(fake_catalog_lost, 0);
	others_publish(w, "elsewhr8:acme");
	turn_until_quiet(w);
	assert_int_equal(works[0].ended, 0);
	fake_catalog_returns(a_suspended_row, 0);
	others_publish(w, "elsewhr8:acme");
	turn_until_quiet(w);
	assert_int_equal(works[0].ended, 1);
	works_stop(w);
}

static void
messages_that_may_have_been_missed_are_made_up_for(void **state)
{
	struct tenants_fixture *w = *state;

	work_begins(w, 0, "acme");
	works[1].ended = 1;
	fake_catalog_returns(a_suspended_row, 0);
	w->redis.message(slice_of(NULL, 0), w->redis.message_arg);
	turn_until_quiet(w);
	assert_int_equal(works[0].err.code, ERR_SUSPENDED);
	works_stop(w);
}

static void
a_message_during_the_look_asks_once_more(void **state)
{
	struct tenants_fixture *w = *state;

	two_work(w);
	fake_catalog_returns(a_ready_row, 5000);
	others_publish(w, "elsewhr8:acme");
	worker_turn(w->worker, 0);
	worker_turn(w->worker, 0);
	others_publish(w, "elsewhr8:acme");
	turn_until_quiet(w);
	assert_int_equal(fake_catalog_asked(), 2);
	works_stop(w);
}

static void
a_deleted_tenant_is_told_so(void **state)
{
	struct tenants_fixture *w = *state;

	two_work(w);
	fake_catalog_returns(a_deleted_row, 0);
	tenant_forget(w->tenants, "acme");
	turn_until_quiet(w);
	assert_int_equal(works[0].err.code, ERR_DELETED);
	works_stop(w);
	assert_int_equal(lookup(w), ERR_DELETED);
}

static void
who_has_left_is_not_touched(void **state)
{
	struct tenants_fixture *w = *state;

	two_work(w);
	tenant_use_end(&works[0].use);
	tenant_use_end(&works[0].use);
	fake_catalog_returns(a_suspended_row, 0);
	others_publish(w, "elsewhr8:acme");
	turn_until_quiet(w);
	assert_int_equal(fake_catalog_asked(), 0);
	assert_int_equal(works[0].ended, 0);
	works_stop(w);
}

static void
check_count(struct flow *f, void *arg)
{
	if (strcmp(f->kind->name, "tenant_use_check") == 0)
		++*(unsigned *)arg;
}

/* Thousands, maybe: neither does a turn begin them all, nor are those behind never come to. */
static void
all_are_looked_at_a_few_at_a_time(void **state)
{
	static struct work many[300];
	struct tenants_fixture *w = *state;
	unsigned most = 0;
	char id[24];

	for (int i = 0; i < 300; i++) {
		memset(&many[i], 0, sizeof(many[i]));
		(void)snprintf(id, sizeof(id), "many-%d", i);
		flow_start(&many[i].flow, &work_kind, w->worker, NULL);
		tenant_use_begin(w->tenants, &many[i].use, id, &many[i].flow);
	}
	for (int i = 0; i < 5; i++)
		worker_turn(w->worker, 0);
	fake_catalog_returns(fake_catalog_empty, 2000);
	w->redis.message(slice_of(NULL, 0), w->redis.message_arg);
	for (unsigned turns = 0; fake_catalog_asked() < 300 && turns < 5000; turns++) {
		unsigned checks = 0;

		flow_each(w->worker, check_count, &checks);
		if (checks > most)
			most = checks;
		worker_turn(w->worker, 5);
	}
	assert_int_equal(most, 64);
	assert_int_equal(fake_catalog_asked(), 300);
	works_stop(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(another_replica_s_message_ends_what_the_catalog_says_has_ended),
		CASE(a_forged_message_costs_a_lookup_and_no_more),
		CASE(a_tenant_with_settings_of_its_own_is_looked_at_like_any),
		CASE(a_catalog_that_is_away_ends_nothing),
		CASE(messages_that_may_have_been_missed_are_made_up_for),
		CASE(a_message_during_the_look_asks_once_more),
		CASE(a_deleted_tenant_is_told_so),
		CASE(who_has_left_is_not_touched),
		CASE(all_are_looked_at_a_few_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
