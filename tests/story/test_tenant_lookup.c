/* SPDX-License-Identifier: MIT */
/*
 * test_tenant_lookup: where a tenant's record is looked for, over a catalog of prepared results and
 * a Redis that replies what the test has set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_cache.h"
#include "fake_catalog.h"
#include "tenant/tenant_record.h"
#include "tenant/row.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "turn_until_idle.h"

#define KEY	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define LOOKUPS 20
#define SECOND	1000000ull

/* ---- rows ---- */

static struct seal *seal;
static struct fake_row row;
static char sealed[512];

static void
a_ready_row(const struct pg_query *q, struct fake_result *a)
{
	char context[160];
	struct buf b;

	(void)q;
	row_seal_context(context, "acme");
	buf_init(&b, sizeof(sealed) - 1);
	assert_true(seal_encrypt(seal, SLICE_LIT("pw"), slice_str(context), &b));
	snprintf(sealed, sizeof(sealed), "%s", b.data);
	buf_free(&b);
	row = (struct fake_row){ { "ready", "pro", "600", "h", "5432", "d", "u", sealed, "require",
	    "tg-test-acme", "p-1", NULL, NULL, "attempt", "1", "t", NULL, "0", NULL, NULL } };
	a->rows = &row;
	a->count = 1;
}

static void
a_suspended_row(const struct pg_query *q, struct fake_result *a)
{
	a_ready_row(q, a);
	row.col[0] = "suspended";
}

static void
a_row_of_another(const struct pg_query *q, struct fake_result *a)
{
	a_ready_row(q, a);
	sealed[20] ^= 1;
}

static void
half_a_row(const struct pg_query *q, struct fake_result *a)
{
	a_ready_row(q, a);
	row.col[3] = NULL;
}

/* ---- lookups ---- */

struct lookup {
	struct flow flow;
	struct tenants *tenants;
	struct tenant tenant;
	struct err err;
	unsigned ended;
};

struct tenants_fixture {
	struct worker *worker;
	struct redis redis;
	struct tenants_conf conf;
	struct tenants_shared *shared;
	struct tenants *tenants;
	struct lookup lookups[LOOKUPS];
};

static enum flow_rc
lookup_step(struct flow *f)
{
	struct lookup *v = (struct lookup *)f;

	return tenant_lookup(f, v->tenants, "acme", &v->tenant);
}

static void
lookup_end(struct flow *f, const struct err *err)
{
	struct lookup *v = (struct lookup *)f;

	v->err = *err;
	v->ended++;
}

static const struct flow_step lookup_steps[] = { { "lookup", lookup_step }, { NULL, NULL } };
static const struct flow_kind lookup_kind = { "lookup", lookup_steps, lookup_end, NULL };

static void
lookup_begin(struct tenants_fixture *w, unsigned i)
{
	struct lookup *v = &w->lookups[i];

	v->tenants = w->tenants;
	v->ended = 0;
	flow_start(&v->flow, &lookup_kind, w->worker, NULL);
}

static enum err_code
lookup(struct tenants_fixture *w)
{
	lookup_begin(w, 0);
	turn_until_idle(w->worker);
	assert_int_equal(w->lookups[0].ended, 1);
	return w->lookups[0].err.code;
}

static int
set_up(void **state)
{
	struct tenants_fixture *w = calloc(1, sizeof(*w));
	struct err err = { 0 };

	log_level(LOG_EMERG);
	seal = seal_new(KEY);
	w->worker = worker_new(0);
	w->redis.status = REDIS_NIL;
	tenants_conf_init(&w->conf);
	w->conf.environment = "test";
	w->conf.neon_api_key = "k";
	w->shared = tenants_shared_new(NULL, w->conf.cache_max);
	w->tenants = tenants_open(w->worker, NULL, &w->redis, NULL, NULL, NULL, seal, w->shared,
	    &w->conf, &err);
	assert_non_null(w->tenants);
	pools_forgotten = 0;
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct tenants_fixture *w = *state;

	tenants_close(w->tenants);
	tenants_shared_free(w->shared);
	worker_free(w->worker);
	seal_free(seal);
	free(w);
	return 0;
}

static void
many_requests_share_one_tenant_lookup(void **state)
{
	struct tenants_fixture *w = *state;
	unsigned i;

	fake_catalog_returns(a_ready_row, 3000);
	for (i = 0; i < LOOKUPS; i++)
		lookup_begin(w, i);
	worker_turn(w->worker, 0);
	flow_abort(&w->lookups[3].flow, ERR_CLIENT_GONE, "left");
	turn_until_idle(w->worker);
	for (i = 0; i < LOOKUPS; i++) {
		assert_int_equal(w->lookups[i].ended, 1);
		assert_int_equal(w->lookups[i].err.code, i == 3 ? ERR_CLIENT_GONE : ERR_NONE);
		if (i != 3)
			assert_string_equal(w->lookups[i].tenant.password, "pw");
	}
	assert_int_equal(w->redis.gets, 1);
	assert_int_equal(fake_catalog_asked(), 1);
	assert_int_equal(w->redis.sets, 1);
}

static void
the_nearest_place_answers(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(a_ready_row, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(w->redis.gets, 1);
	clock_test_advance(61 * SECOND);
	w->redis.status = REDIS_OK;
	memset(&w->lookups[0].tenant, 0, sizeof(struct tenant));
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(w->redis.gets, 2);
	assert_int_equal(fake_catalog_asked(), 1);
	assert_int_equal(w->lookups[0].tenant.state, TENANT_READY);
	assert_string_equal(w->lookups[0].tenant.password, "pw");
	assert_int_equal(w->lookups[0].tenant.requests_per_minute, 600);
}

static void
whatever_is_wrong_in_redis_is_a_miss(void **state)
{
	static const enum redis_status troubles[] = { REDIS_NIL, REDIS_ERROR, REDIS_DOWN,
		REDIS_TIMEOUT, REDIS_BUSY, REDIS_OK };
	struct tenants_fixture *w = *state;
	size_t i;

	for (i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
		fake_catalog_returns(a_ready_row, 0);
		w->redis.status = troubles[i];
		snprintf(w->redis.text, sizeof(w->redis.text), "tgs1.rubbish");
		assert_int_equal(lookup(w), ERR_NONE);
		assert_int_equal(fake_catalog_asked(), 1);
		clock_test_advance(61 * SECOND);
	}
}

static void
an_unknown_tenant_is_looked_up_again_soon(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(fake_catalog_empty, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(w->lookups[0].tenant.state, TENANT_UNKNOWN);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 1);
	assert_int_equal(w->redis.sets, 0);
	clock_test_advance(SECOND + 1);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 2);
}

static void
failures_are_not_cached(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(fake_catalog_lost, 0);
	assert_int_equal(lookup(w), ERR_CATALOG);
	fake_catalog_returns(a_row_of_another, 0);
	assert_int_equal(lookup(w), ERR_INTERNAL);
	fake_catalog_returns(half_a_row, 0);
	assert_int_equal(lookup(w), ERR_INTERNAL);
	fake_catalog_returns(a_ready_row, 0);
	assert_int_equal(lookup(w), ERR_NONE);
}

static void
a_suspended_tenant_is_refused(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(a_suspended_row, 0);
	assert_int_equal(lookup(w), ERR_SUSPENDED);
	assert_int_equal(lookup(w), ERR_SUSPENDED);
	assert_int_equal(fake_catalog_asked(), 1);
	assert_int_equal(w->redis.sets, 0);
}

static void
others_publish(struct tenants_fixture *w, const char *message)
{
	w->redis.message(slice_str(message), w->redis.message_arg);
}

static void
others_publish_what_to_forget(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(a_ready_row, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	others_publish(w, "");
	others_publish(w, "rubbish");
	others_publish(w, "xxxxxxxx:");
	others_publish(w, "xxxxxxxx:other");
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 1);
	others_publish(w, "xxxxxxxx:acme");
	assert_int_equal(pools_forgotten, 1);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 2);
	others_publish(w, NULL);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 3);
}

/* The row may have been read before the change: flows that waited get it, and it is not cached. */
static void
what_changes_during_a_lookup_is_not_kept_from_it(void **state)
{
	struct tenants_fixture *w = *state;
	unsigned i;

	fake_catalog_returns(a_ready_row, 20000);
	lookup_begin(w, 0);
	for (i = 0; i < 3; i++)
		worker_turn(w->worker, 0);
	assert_int_equal(w->redis.gets, 1);
	others_publish(w, "xxxxxxxx:acme");
	turn_until_idle(w->worker);
	assert_int_equal(w->lookups[0].err.code, ERR_NONE);
	assert_int_equal(w->redis.sets, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 2);
	assert_int_equal(w->redis.sets, 1);
}

static void
what_we_forget_is_published(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(a_ready_row, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	tenant_forget(w->tenants, "acme");
	assert_int_equal(w->redis.marks, 1);
	assert_int_equal(w->redis.publishes, 1);
	assert_int_equal(pools_forgotten, 1);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 2);
}

/* Cut off at every turn of the loop, nothing is left behind (the sanitizers look). */
static void
a_lookup_may_be_cut_off_at_every_turn(void **state)
{
	struct tenants_fixture *w = *state;
	unsigned turns, i;

	fake_catalog_returns(a_ready_row, 1000);
	for (turns = 0; turns < 12; turns++) {
		lookup_begin(w, 0);
		for (i = 0; i < turns; i++)
			worker_turn(w->worker, 1);
		flow_abort_all(w->worker, ERR_SHUTDOWN, "cut off");
		turn_until_idle(w->worker);
		assert_int_equal(w->lookups[0].ended, 1);
		clock_test_advance(61 * SECOND);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(many_requests_share_one_tenant_lookup),
		CASE(the_nearest_place_answers),
		CASE(whatever_is_wrong_in_redis_is_a_miss),
		CASE(an_unknown_tenant_is_looked_up_again_soon),
		CASE(failures_are_not_cached),
		CASE(a_suspended_tenant_is_refused),
		CASE(others_publish_what_to_forget),
		CASE(what_changes_during_a_lookup_is_not_kept_from_it),
		CASE(what_we_forget_is_published),
		CASE(a_lookup_may_be_cut_off_at_every_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
