/* SPDX-License-Identifier: MIT */
/*
 * tenant_lookup_fixture: one worker's tenants over a catalog of prepared results and a Redis that
 * replies what the test has set; lookups of the tenant acme.
 */
#ifndef TENANTGATE_TESTS_TENANT_LOOKUP_FIXTURE_H
#define TENANTGATE_TESTS_TENANT_LOOKUP_FIXTURE_H

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

static inline void
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
	    "tg-test-acme", "p-1", NULL, NULL, "attempt", "1", "t", NULL, "0", NULL, NULL,
	    "neon" } };
	row.col[28] = "1795734703701000";
	a->rows = &row;
	a->count = 1;
}

/* With a value of the tenant's own, and so limits of its own. */
static inline void
a_row_with_settings(const struct pg_query *q, struct fake_result *a)
{
	a_ready_row(q, a);
	row.col[25] = "{\"top_k\":3,\"system_prompt\":\"Be brief.\"}";
}

static inline void
a_suspended_row(const struct pg_query *q, struct fake_result *a)
{
	a_ready_row(q, a);
	row.col[0] = "suspended";
}

/* Its row is a tombstone: suspended, to who does not know that column. */
static inline void
a_deleted_row(const struct pg_query *q, struct fake_result *a)
{
	a_suspended_row(q, a);
	row.col[26] = "t";
}

static inline void
a_row_of_another(const struct pg_query *q, struct fake_result *a)
{
	a_ready_row(q, a);
	sealed[20] ^= 1;
}

static inline void
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

static inline enum flow_rc
lookup_step(struct flow *f)
{
	struct lookup *v = (struct lookup *)f;

	return tenant_lookup(f, v->tenants, "acme", &v->tenant);
}

static inline void
lookup_end(struct flow *f, const struct err *err)
{
	struct lookup *v = (struct lookup *)f;

	v->err = *err;
	v->ended++;
}

static const struct flow_step lookup_steps[] = { { "lookup", lookup_step }, { NULL, NULL } };
static const struct flow_kind lookup_kind = { "lookup", lookup_steps, lookup_end, NULL };

static inline void
lookup_begin(struct tenants_fixture *w, unsigned i)
{
	struct lookup *v = &w->lookups[i];

	v->tenants = w->tenants;
	v->ended = 0;
	flow_start(&v->flow, &lookup_kind, w->worker, NULL);
}

static inline enum err_code
lookup(struct tenants_fixture *w)
{
	lookup_begin(w, 0);
	turn_until_idle(w->worker);
	assert_int_equal(w->lookups[0].ended, 1);
	return w->lookups[0].err.code;
}

static inline int
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

static inline int
tear_down(void **state)
{
	struct tenants_fixture *w = *state;

	tenants_close(w->tenants);
	worker_free(w->worker);
	tenants_shared_free(w->shared);
	seal_free(seal);
	free(w);
	return 0;
}

static inline void
others_publish(struct tenants_fixture *w, const char *message)
{
	w->redis.message(slice_str(message), w->redis.message_arg);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
