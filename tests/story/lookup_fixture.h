/* SPDX-License-Identifier: MIT */
/*
 * lookup_fixture: a cache over a source that gives what the test has set, at once or when the test
 * releases it; the clock is the test's.
 */
#ifndef TENANTGATE_TESTS_LOOKUP_FIXTURE_H
#define TENANTGATE_TESTS_LOOKUP_FIXTURE_H

#include <stdlib.h>

#include "flow_fixture.h"

#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/loop/lookup.h"

#define SECOND	    1000000ull
#define TTL	    (30 * SECOND)
#define NEGATIVE    (5 * SECOND)
#define RECORDS	    3
#define FETCHES	    2
#define ASKERS	    8
#define DEADLINE_US 200000 /* real time: the loop's timers do not follow the test's clock */

/* ---- the source ---- */

struct thing {
	struct lookup_record base;
	char key[16];
	unsigned version;
};

struct thing_fetch {
	struct lookup_fetch base;
	struct join_waiter waiter;
};

static struct {
	unsigned version;     /* of the next records; 0: there is no such thing */
	enum err_code broken; /* or the failure instead of them */
	bool is_held;	      /* no record until source_release() */
	bool is_ill;	      /* and it is known */
	bool is_revoked;      /* what is not there, by decision */
	struct join held;
	unsigned asked, ended;
	unsigned things;		 /* alive */
	bool saw_superseded, saw_fenced; /* the fetch that ended last */
} source;

static inline void
thing_free(struct lookup_record *r)
{
	source.things--;
	free((struct thing *)r);
}

static inline struct lookup_record *
thing_new(struct slice key)
{
	struct thing *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	assert_true(key.len < sizeof(t->key));
	lookup_record_init(&t->base, thing_free);
	memcpy(t->key, key.p, key.len);
	source.things++;
	return &t->base;
}

static inline enum flow_rc
source_ask(struct flow *f)
{
	source.asked++;
	if (!source.is_held)
		return FLOW_NEXT;
	return join_wait(&source.held, f, &((struct thing_fetch *)f)->waiter);
}

static inline void
source_release(void)
{
	const struct err fine = { .code = ERR_NONE };

	source.is_held = false;
	join_finish(&source.held, &fine);
}

static inline enum flow_rc
source_finish(struct flow *f)
{
	struct thing_fetch *t = (struct thing_fetch *)f;

	assert_ptr_equal(t->base.owner, &source);
	source.saw_superseded = t->base.is_superseded;
	source.saw_fenced = t->base.is_fenced;
	if (source.broken != ERR_NONE)
		return flow_fail(f, source.broken, "The source is broken.");
	((struct thing *)t->base.record)->version = source.version;
	t->base.record->is_negative = source.version == 0;
	t->base.record->is_revoked = source.version == 0 && source.is_revoked;
	return FLOW_DONE;
}

static inline void
source_end(struct flow *f, const struct err *err)
{
	(void)f;
	(void)err;
	source.ended++;
}

static const struct flow_step source_steps[] = {
	{ "ask", source_ask },
	{ "finish", source_finish },
	{ NULL, NULL },
};
static const struct flow_kind source_kind = { "thing", source_steps, source_end, NULL };

/* ---- those who ask ---- */

struct asker {
	struct flow flow;
	struct lookup_waiter waiter;
	const char *key;
	unsigned version; /* of the record it got */
	bool is_negative;
	struct err err;
	unsigned ended;
};

static struct lookup_cache *cache;
static struct asker askers[ASKERS];

static inline enum flow_rc
asker_wait(struct flow *f)
{
	struct asker *a = (struct asker *)f;

	return lookup_wait(f, cache, slice_str(a->key), &a->waiter);
}

static inline enum flow_rc
asker_read(struct flow *f)
{
	struct asker *a = (struct asker *)f;
	const struct thing *t = (const struct thing *)a->waiter.record;

	assert_int_equal(t->key[0], a->key[0]); /* what follows is who has asked */
	a->version = t->version;
	a->is_negative = t->base.is_negative;
	return FLOW_NEXT;
}

static inline void
asker_end(struct flow *f, const struct err *err)
{
	struct asker *a = (struct asker *)f;

	a->err = *err;
	a->ended++;
	lookup_waiter_clear(&a->waiter);
}

static const struct flow_step asker_steps[] = {
	{ "wait", asker_wait },
	{ "read", asker_read },
	{ NULL, NULL },
};
static const struct flow_kind asker_kind = { "asker", asker_steps, asker_end, NULL };

static inline struct asker *
begin(unsigned i, const char *key)
{
	struct asker *a = &askers[i];

	memset(a, 0, sizeof(*a));
	a->key = key;
	flow_start(&a->flow, &asker_kind, worker, NULL);
	return a;
}

/* From the first step to the end: the code it ends with. */
static inline enum err_code
ask(const char *key)
{
	struct asker *a = begin(0, key);

	flow_fixture_finish();
	assert_int_equal(a->ended, 1);
	return a->err.code;
}

/* Enough turns for whatever can happen while the source is held. */
static inline struct asker *
begin_held(unsigned i, const char *key)
{
	struct asker *a;

	source.is_held = true;
	a = begin(i, key);
	flow_fixture_turns(6);
	assert_int_equal(source.held.count, lookup_fetching(cache));
	return a;
}

static inline void
let_finish(void)
{
	source_release();
	flow_fixture_finish();
}

static inline void
expect(const char *key, unsigned version, unsigned asked)
{
	assert_int_equal(ask(key), ERR_NONE);
	assert_int_equal(askers[0].version, version);
	assert_int_equal(askers[0].is_negative, version == 0);
	assert_int_equal(source.asked, asked);
}

/* What is kept, fresh or not; borrowed, for the store has it. */
static inline struct lookup_record *
kept(const char *key)
{
	struct lookup_record *r = lookup_peek(cache, slice_str(key));

	lookup_unref(r);
	return r;
}

static inline bool
is_fresh(const char *key)
{
	struct lookup_record *r = lookup_cached(cache, slice_str(key));

	lookup_unref(r);
	return r != NULL;
}

static inline bool
source_ill(const void *owner)
{
	assert_ptr_equal(owner, &source);
	return source.is_ill;
}

static inline struct lookup_conf
conf_with(uint64_t stale_us, uint64_t retry_us, uint64_t deadline_us)
{
	return (struct lookup_conf){
		.noun = "thing",
		.ttl_us = TTL,
		.negative_ttl_us = NEGATIVE,
		.stale_us = stale_us,
		.retry_us = retry_us,
		.records_max = RECORDS,
		.fetches_max = FETCHES,
		.deadline_us = deadline_us,
		.timeout_code = ERR_CATALOG,
		.is_ill = source_ill,
		.fetch_kind = &source_kind,
		.fetch_size = sizeof(struct thing_fetch),
		.record_new = thing_new,
		.owner = &source,
	};
}

static inline void
open_with(uint64_t stale_us, uint64_t retry_us, uint64_t deadline_us)
{
	const struct lookup_conf conf = conf_with(stale_us, retry_us, deadline_us);

	lookup_close(cache);
	cache = lookup_open(worker, &conf);
}

static inline int
set_up(void **state)
{
	log_level(LOG_EMERG);
	memset(&source, 0, sizeof(source));
	source.version = 1;
	join_init(&source.held);
	if (flow_fixture_set_up(state) != 0)
		return -1;
	open_with(0, 0, 0);
	return 0;
}

static inline int
tear_down(void **state)
{
	assert_int_equal(lookup_fetching(cache), 0);
	lookup_close(cache);
	cache = NULL;
	assert_int_equal(source.things, 0);
	assert_int_equal(source.ended, source.asked);
	return flow_fixture_tear_down(state);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

#endif
