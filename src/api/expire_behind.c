/* SPDX-License-Identifier: MIT */
/*
 * expire_behind: documents of a tenant whose time is over go (retrieval/expire.c), though nobody
 * searches: behind any request that has asked the tenant's database, which so is awake. No database
 * is woken for it.
 */
#include "api/expire_watch.h"

#define BEHIND_MAX	  4		    /* at a time, in the process */
#define BEHIND_AGAIN_US	  (10 * 1000000ull) /* meanwhile none is begun for the same tenant */
#define BEHIND_ARENA	  (1u << 20)	    /* bytes: the struct; catalog_run()'s of pages */
#define BEHIND_TIMEOUT_US (60 * 1000000ull)

/* With copies of what is the request's. */
struct expiry_behind {
	struct flow flow;
	const struct api_context *ctx; /* borrowed */
	char tenant_id[TENANT_ID_MAX + 1];
	char key[TENANT_KEY_SIZE];
	struct pool_target target; /* key: the above; pg owned */
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

	return documents_expire(f, e->ctx->catalog, e->ctx->pools, &e->target, e->tenant_id,
	    &e->next_us, &e->why);
}

static enum flow_rc
expire_behind_note(struct flow *f)
{
	struct expiry_behind *e = expiry_behind_of(f);

	expire_looked(e->ctx, EXPIRE_BEHIND, e->tenant_id, NULL, e->next_us, &e->why);
	return FLOW_DONE;
}

/* A shutdown, or its deadline: a later request begins again. */
static void
expire_behind_end(struct flow *f, const struct err *err)
{
	(void)err;
	atomic_fetch_sub(&expiry_behind_of(f)->ctx->shared->expiries, 1);
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
	expire_note(ctx, EXPIRE_BEHIND, req->tenant_id, BEHIND_AGAIN_US);
	arena = arena_new(BEHIND_ARENA);
	e = arena_first(arena, sizeof(*e));
	e->ctx = ctx;
	memcpy(e->tenant_id, req->tenant_id, sizeof(e->tenant_id));
	tenant_target(&req->tenant, &target, e->key);
	e->target = (struct pool_target){ .key = target.key, .size = target.size };
	pg_target_copy(&e->target.pg, &target.pg);
	flow_start(&e->flow, &expire_behind_kind, ctx->worker, arena);
	flow_deadline(&e->flow, BEHIND_TIMEOUT_US);
}
