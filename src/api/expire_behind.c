/* SPDX-License-Identifier: MIT */
/*
 * expire_behind: documents of a tenant whose time is over go (retrieval/expire.c), though nobody
 * searches: behind a request that has asked the tenant's database, which so is awake, and stays so
 * for a while.
 *
 *	[go] --> [note] --> done
 *	  ^         |
 *	  +--sleep--+	the next one's time comes while the database is awake anyway
 *
 * No database is woken for it, nor kept awake by what it does itself: the while is counted from the
 * request.
 */
#include "api/expire_watch.h"

#define BEHIND_MAX     64		 /* in the process; most of them asleep */
#define BEHIND_ARENA   (4u << 20)	 /* bytes: the struct; catalog_run()'s of pages */
#define AWAKE_US       (50 * 1000000ull) /* Neon suspends after 60 s at the soonest */
#define GO_US	       (60 * 1000000ull) /* for a look, and what it removes */
#define BEHIND_LOOK_US (10 * 1000000ull) /* of that, for the question whether there is any */
#define EARLY_US       1000		 /* clocks differ a little */

/* With copies of what is the request's. */
struct expiry_behind {
	struct flow flow;
	const struct api_context *ctx; /* borrowed */
	char tenant_id[TENANT_ID_MAX + 1];
	char key[TENANT_KEY_SIZE];
	struct pool_target target; /* key: the above; pg owned */
	struct timer timer;
	uint64_t next_us;
	struct err why;
};

static flow_step_fn expire_behind_go, expire_behind_note;
static flow_end_fn expire_behind_end;
static flow_release_fn expire_behind_release;

static const struct flow_step expire_behind_steps[] = {
	{ "expire_behind_go", expire_behind_go },
	{ "expire_behind_note", expire_behind_note },
	{ NULL, NULL },
};

static const struct flow_kind expire_behind_kind = { "documents_expire_behind", expire_behind_steps,
	expire_behind_end, expire_behind_release };

static struct expiry_behind *
expiry_behind_of(struct flow *f)
{
	return FLOW_OF(f, struct expiry_behind, &expire_behind_kind);
}

static enum flow_rc
expire_behind_go(struct flow *f)
{
	struct expiry_behind *e = expiry_behind_of(f);

	flow_deadline(f, GO_US);
	return documents_expire(f, e->ctx->catalog, e->ctx->pools, &e->target, e->tenant_id,
	    BEHIND_LOOK_US, &e->next_us, &e->why);
}

static enum flow_rc
expire_behind_note(struct flow *f)
{
	struct expiry_behind *e = expiry_behind_of(f);

	expire_looked(e->ctx, EXPIRE_BEHIND, e->tenant_id, NULL, e->next_us, &e->why);
	if (err_is(&e->why) || e->next_us >= AWAKE_US || flow_age_us(f) + e->next_us >= AWAKE_US)
		return FLOW_DONE;
	flow_deadline(f, AWAKE_US);
	flow_goto(f, expire_behind_go);
	return flow_sleep(f, &e->timer, e->next_us + EARLY_US);
}

/* A shutdown, or its deadline: a later request begins again. */
static void
expire_behind_end(struct flow *f, const struct err *err)
{
	struct expiry_behind *e = expiry_behind_of(f);

	(void)err;
	expire_forget(e->ctx, EXPIRE_UNDER_WAY, e->tenant_id);
	atomic_fetch_sub(&e->ctx->shared->expiries, 1);
}

/* The flow itself lies in the arena; the target's copy of the password is wiped. */
static void
expire_behind_release(struct flow *f)
{
	struct arena *arena = f->arena;

	pg_target_free(&expiry_behind_of(f)->target.pg);
	arena_free(arena);
}

/* Not where a search has just looked for itself. */
static bool
expire_behind_is_due(const struct request *req)
{
	return req->ctx->swept != NULL && req->tenant.state == TENANT_READY && req->has_borrowed &&
	    expire_is_due(req, EXPIRE_BEFORE) && expire_is_due(req, EXPIRE_BEHIND) &&
	    expire_is_due(req, EXPIRE_UNDER_WAY) &&
	    !catalog_is_failing(req->ctx->catalog, CATALOG_DOCUMENTS);
}

void
request_expire_behind(struct request *req)
{
	const struct api_context *ctx = req->ctx;
	struct pool_target target = { 0 };
	struct expiry_behind *e;
	struct arena *arena;

	if (!expire_behind_is_due(req))
		return;
	if (atomic_fetch_add(&ctx->shared->expiries, 1) >= BEHIND_MAX) {
		atomic_fetch_sub(&ctx->shared->expiries, 1);
		return;
	}
	expire_note(ctx, EXPIRE_UNDER_WAY, req->tenant_id, AWAKE_US + GO_US);
	arena = arena_new(BEHIND_ARENA);
	e = arena_first(arena, sizeof(*e));
	e->ctx = ctx;
	memcpy(e->tenant_id, req->tenant_id, sizeof(e->tenant_id));
	tenant_target(&req->tenant, &target, e->key);
	e->target = (struct pool_target){ .key = target.key, .size = target.size };
	pg_target_copy(&e->target.pg, &target.pg);
	flow_start(&e->flow, &expire_behind_kind, ctx->worker, arena);
}
