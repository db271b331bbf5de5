/* SPDX-License-Identifier: MIT */
/*
 * tenant_use: see the headers.
 *
 *	tenant_uses_check:  [lookup] of the tenant, a flow of its own --> ended: its uses abort
 *
 * What always holds: one such flow a tenant on a worker. What is said of the tenant while it is
 * under way may be newer than what it finds: then there is another one after it. Where all are due
 * CHECKS_MAX are under way at a time, so that no turn begins thousands, nor are more asked for than
 * a lookup takes (fetches_max), which would never come to those behind.
 */
#include "tenant/tenant_use.h"

#include <stdlib.h>

#include "tenant/tenant_internal.h"
#include "tenant/tenants_shared.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/arena.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/base/secret.h"

#define CHECK_US	(10 * 1000000ull)
#define CHECK_ARENA_MAX (1u << 20)
#define LOOK_MIN_US	1000000ull /* tenant_cache_ttl may be 0 */

enum { CHECKS_MAX = 64 };

struct tenant_users {
	TAILQ_ENTRY(tenant_users) next;
	uint64_t round;		  /* of uses, in which it was looked at last */
	struct tenant_uses *uses; /* borrowed */
	TAILQ_HEAD(, tenant_use) list;
	char id[TENANT_ID_MAX + 1];
	bool is_checked;  /* a check is under way */
	bool check_again; /* and another is due */
};

struct tenant_uses {
	struct tenants *tenants; /* borrowed */
	struct map *by_id;  /* owned: id -> struct tenant_users, owned by whom it is empty for */
	struct timer timer; /* while there are uses */
	/* Looks at all: whoever was looked at longest ago is first. */
	TAILQ_HEAD(, tenant_users) all; /* borrowed: by_id's */
	uint64_t round;
	struct timer turn;  /* goes on with the round */
	unsigned under_way; /* checks */
};

/* In an arena of its own, which also has the copy of the tenant's own limits. */
struct use_check {
	struct flow flow;
	struct tenants *tenants; /* borrowed */
	char id[TENANT_ID_MAX + 1];
	struct tenant tenant; /* wiped at the end */
};

static flow_step_fn use_check_lookup;
static flow_end_fn use_check_end;
static flow_release_fn use_check_release;

static const struct flow_step use_check_steps[] = { { "lookup", use_check_lookup },
	{ NULL, NULL } };

static const struct flow_kind use_check_kind = { "tenant_use_check", use_check_steps, use_check_end,
	use_check_release };

static enum flow_rc
use_check_lookup(struct flow *f)
{
	struct use_check *c = FLOW_OF(f, struct use_check, &use_check_kind);

	return tenant_lookup(f, c->tenants, c->id, &c->tenant);
}

static void
use_check_start(struct tenant_users *users)
{
	struct arena *arena = arena_new(CHECK_ARENA_MAX);
	struct use_check *c = arena_first(arena, sizeof(*c));

	memset(c, 0, sizeof(*c));
	users->uses->under_way++;
	users->is_checked = true;
	users->check_again = false;
	c->tenants = users->uses->tenants;
	memcpy(c->id, users->id, sizeof(c->id));
	flow_start(&c->flow, &use_check_kind, c->tenants->worker, arena);
	flow_deadline(&c->flow, CHECK_US);
}

static void
users_abort(struct tenant_users *users, const struct err *why)
{
	struct tenant_use *use;

	log_event(LOG_NOTICE, "tenant.requests_ended", NULL,
	    "Running requests of tenant %s are ended: it was %s.", users->id,
	    why->code == ERR_DELETED ? "deleted" : "suspended");
	TAILQ_FOREACH(use, &users->list, link)
		flow_abort(use->flow, why->code, why->detail);
}

static bool
round_is_open(const struct tenant_uses *uses)
{
	const struct tenant_users *first = TAILQ_FIRST(&uses->all);

	return first != NULL && first->round != uses->round;
}

/* A failure that says nothing of the tenant (the catalog is away) leaves it to the next look. */
static void
use_check_end(struct flow *f, const struct err *err)
{
	struct use_check *c = FLOW_OF(f, struct use_check, &use_check_kind);
	struct tenant_uses *uses = c->tenants->uses;
	struct tenant_users *users = map_get(uses->by_id, slice_str(c->id));

	uses->under_way--;
	if (err->code != ERR_SHUTDOWN && round_is_open(uses) && !uses->turn.set)
		timer_start(&uses->turn, 0);
	if (users == NULL)
		return;
	users->is_checked = false;
	if (err->code == ERR_SUSPENDED || err->code == ERR_DELETED)
		users_abort(users, err);
	else if (users->check_again && err->code != ERR_SHUTDOWN)
		use_check_start(users);
}

static void
use_check_release(struct flow *f)
{
	struct use_check *c = FLOW_OF(f, struct use_check, &use_check_kind);

	bytes_wipe(&c->tenant, sizeof(c->tenant));
	arena_free(f->arena);
}

/* ---- when ---- */

static void
users_check(struct tenant_users *users)
{
	if (users->is_checked)
		users->check_again = true;
	else
		use_check_start(users);
}

void
tenant_uses_check(struct tenants *ts, struct slice id)
{
	struct tenant_users *users = map_get(ts->uses->by_id, id);

	if (users != NULL)
		users_check(users);
}

/* A task on its way to another worker. */
struct use_notice {
	struct task task;
	struct tenants_shared *shared; /* borrowed: outlives the workers */
	struct worker *worker;	       /* borrowed: runs the task */
	char id[TENANT_ID_MAX + 1];
};

/* A worker_fn. The worker may have closed its tenants meanwhile. */
static void
use_notice_take(void *arg)
{
	struct use_notice *n = arg;
	struct tenants *ts = shared_tenants_of(n->shared, n->worker);

	if (ts != NULL)
		tenant_uses_check(ts, slice_str(n->id));
	free(n);
}

/* A shared_tenants_fn. */
static void
use_notice_post(struct tenants *ts, void *arg)
{
	struct use_notice *n;

	if (worker_is_mine(ts->worker))
		return;
	n = xcalloc(1, sizeof(*n));
	n->shared = ts->shared;
	n->worker = ts->worker;
	memcpy(n->id, arg, sizeof(n->id));
	worker_post(n->worker, &n->task, use_notice_take, n);
}

void
tenant_uses_check_everywhere(struct tenants *ts, const char *id)
{
	char copy[TENANT_ID_MAX + 1] = "";
	size_t len = strnlen(id, TENANT_ID_MAX);

	memcpy(copy, id, len);
	tenant_uses_check(ts, slice_of(copy, len));
	shared_tenants_each(ts->shared, use_notice_post, copy);
}

/* A timer_fn. */
static void
uses_check_some(void *arg)
{
	struct tenant_uses *uses = arg;

	while (uses->under_way < CHECKS_MAX && round_is_open(uses)) {
		struct tenant_users *users = TAILQ_FIRST(&uses->all);

		users->round = uses->round;
		TAILQ_REMOVE(&uses->all, users, next);
		TAILQ_INSERT_TAIL(&uses->all, users, next);
		users_check(users);
	}
}

/* Who begins after this looks its tenant up anew, and is not of this round. */
void
tenant_uses_check_all(struct tenants *ts)
{
	ts->uses->round++;
	if (!ts->uses->turn.set)
		uses_check_some(ts->uses);
}

static void
uses_look_later(struct tenant_uses *uses)
{
	uint64_t ttl = uses->tenants->conf->cache_ttl_us;

	timer_start(&uses->timer, ttl > LOOK_MIN_US ? ttl : LOOK_MIN_US);
}

/* A timer_fn. */
static void
uses_look(void *arg)
{
	struct tenant_uses *uses = arg;

	tenant_uses_check_all(uses->tenants);
	if (map_count(uses->by_id) > 0)
		uses_look_later(uses);
}

/* ---- the uses ---- */

static struct tenant_users *
users_of(struct tenant_uses *uses, const char *id)
{
	struct tenant_users *users = map_get(uses->by_id, slice_str(id));

	if (users != NULL)
		return users;
	users = xcalloc(1, sizeof(*users));
	users->uses = uses;
	TAILQ_INIT(&users->list);
	memcpy(users->id, id, strnlen(id, TENANT_ID_MAX));
	users->round = uses->round;
	if (map_put(uses->by_id, slice_str(id), users)) {
		TAILQ_INSERT_TAIL(&uses->all, users, next);
		return users;
	}
	free(users);
	return NULL;
}

/* Without memory the flow is not found when the tenant ends, and goes on to its own end. */
void
tenant_use_begin(struct tenants *ts, struct tenant_use *use, const char *id, struct flow *f)
{
	struct tenant_uses *uses = ts->uses;
	bool is_first = map_count(uses->by_id) == 0;

	tenant_use_end(use);
	if (uses->turn.event == NULL && !timer_init(&uses->turn, ts->worker, uses_check_some, uses))
		return;
	use->users = users_of(uses, mutated(MUTATION_USE, id));
	if (use->users == NULL)
		return;
	use->flow = f;
	TAILQ_INSERT_TAIL(&use->users->list, use, link);
	if (is_first &&
	    (uses->timer.event != NULL || timer_init(&uses->timer, ts->worker, uses_look, uses)))
		uses_look_later(uses);
}

void
tenant_use_end(struct tenant_use *use)
{
	struct tenant_users *users = use->users;

	if (users == NULL)
		return;
	TAILQ_REMOVE(&users->list, use, link);
	use->users = NULL;
	if (!TAILQ_EMPTY(&users->list))
		return;
	TAILQ_REMOVE(&users->uses->all, users, next);
	map_take(users->uses->by_id, slice_str(users->id));
	free(users);
}

struct tenant_uses *
tenant_uses_open(struct tenants *ts)
{
	struct tenant_uses *uses = xcalloc(1, sizeof(*uses));

	uses->tenants = ts;
	uses->by_id = map_new(0, free);
	TAILQ_INIT(&uses->all);
	return uses;
}

void
tenant_uses_close(struct tenant_uses *uses)
{
	if (uses == NULL)
		return;
	timer_free(&uses->timer);
	timer_free(&uses->turn);
	map_free(uses->by_id);
	free(uses);
}
