/* SPDX-License-Identifier: MIT */
/*
 * chunk_discard: what is staged of an attempt that has ended goes, in a flow of its own,
 * which nobody waits for.
 *
 *	[discard_borrow] --> [discard] --> done
 *	       ^-----------------+ there are words left
 */
#include "retrieval/staging_forget.h"
#include "tenantgate/base/log.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/retrieval/staging.h"

#define DISCARD_ARENA	   16384 /* bytes: the struct, a key and an attempt */
#define DISCARD_TIMEOUT_US (300 * 1000000ull) /* of all its statements */

struct discard {
	struct flow flow;
	struct pools *pools;	   /* borrowed */
	const char *attempt;	   /* arena */
	int schema_version;
	struct pool_target target; /* key: arena; pg owned */
	struct pool_lease lease;
	struct pg_result result; /* owned */
};

static flow_step_fn discard_borrow, discard_run, discard_check;
static flow_end_fn discard_end;
static flow_release_fn discard_release;

static const struct flow_step discard_steps[] = {
	{ "discard_borrow", discard_borrow },
	{ "discard", discard_run },
	{ "discarded", discard_check },
	{ NULL, NULL },
};

static const struct flow_kind discard_kind = { .name = "chunks_discard",
	.steps = discard_steps,
	.end = discard_end,
	.release = discard_release };

static enum flow_rc
discard_borrow(struct flow *f)
{
	struct discard *d = FLOW_OF(f, struct discard, &discard_kind);

	return pool_borrow(f, d->pools, &d->target, &d->lease);
}

static enum flow_rc
discard_run(struct flow *f)
{
	struct discard *d = FLOW_OF(f, struct discard, &discard_kind);

	return staging_forget_attempt(f, &d->lease, d->schema_version, d->attempt, &d->result);
}

static enum flow_rc
discard_check(struct flow *f)
{
	struct discard *d = FLOW_OF(f, struct discard, &discard_kind);
	enum flow_rc rc = pg_check(f, &d->result, ERR_NONE, "take away what was staged");

	if (rc != FLOW_NEXT || !staging_forgets_more(&d->result))
		return rc;
	pool_return(&d->lease, POOL_CLEAN);
	pg_clear(&d->result);
	return flow_goto(f, discard_borrow);
}

/* A database that is away has said so in its request's own line; what is there goes later. */
static void
discard_end(struct flow *f, const struct err *err)
{
	struct discard *d = FLOW_OF(f, struct discard, &discard_kind);

	pool_return(&d->lease, err_is(err) ? POOL_DIRTY : POOL_CLEAN);
}

/* The flow itself lies in the arena; the target's copy of the password is wiped. */
static void
discard_release(struct flow *f)
{
	struct discard *d = FLOW_OF(f, struct discard, &discard_kind);
	struct arena *arena = f->arena;

	pg_clear(&d->result);
	pg_target_free(&d->target.pg);
	arena_free(arena);
}

void
chunks_discard(struct worker *w, struct pools *pools, const struct pool_target *target,
    int schema_version, const char *attempt)
{
	struct arena *arena = arena_new(DISCARD_ARENA);
	struct discard *d = arena_first(arena, sizeof(*d));

	d->pools = pools;
	d->schema_version = schema_version;
	d->attempt = arena_strdup(arena, attempt);
	d->target = (struct pool_target){ .size = target->size };
	d->target.key = slice_of(arena_slice(arena, target->key), target->key.len);
	if (d->attempt == NULL || d->target.key.p == NULL) {
		arena_free(arena);
		return;
	}
	pg_target_copy(&d->target.pg, &target->pg);
	flow_start(&d->flow, &discard_kind, w, arena);
	flow_deadline(&d->flow, DISCARD_TIMEOUT_US);
}
