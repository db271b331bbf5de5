/* SPDX-License-Identifier: MIT */
/*
 * quota_seeding: see the header.
 */
#include "api/quota_seeding.h"

#include <string.h>

#define SEED_TIMEOUT_US (30 * 1000000ull)
#define SEED_ARENA	(64u << 10)

struct quota_seeding {
	struct flow flow;
	const struct api_context *ctx; /* borrowed */
	struct quota_request ask;      /* its keys are beside it */
	char keys[2][LIMIT_KEY_MAX + 1];
	char tenant[TENANT_ID_MAX + 1];
	struct pg_result rows; /* owned */
};

static flow_step_fn quota_seed_read, quota_seed_put;
static flow_end_fn quota_seed_end;
static flow_release_fn quota_seed_release;

static const struct flow_step quota_seed_steps[] = {
	{ "read", quota_seed_read },
	{ "seed", quota_seed_put },
	{ NULL, NULL },
};

static const struct flow_kind quota_seed_kind = { "quota_seed", quota_seed_steps, quota_seed_end,
	quota_seed_release };

static struct quota_seeding *
quota_seeding_of(struct flow *f)
{
	return FLOW_OF(f, struct quota_seeding, &quota_seed_kind);
}

static enum flow_rc
quota_seed_read(struct flow *f)
{
	struct quota_seeding *s = quota_seeding_of(f);

	return usage_read_month(f, s->ctx->catalog, s->tenant, &s->rows);
}

/* While the catalog is away the next request tries again. */
static enum flow_rc
quota_seed_put(struct flow *f)
{
	struct quota_seeding *s = quota_seeding_of(f);

	if (s->rows.status == PG_OK)
		quota_seed(s->ctx->limiter, &s->ask, usage_month_tokens(&s->rows));
	return FLOW_DONE;
}

static void
quota_seed_end(struct flow *f, const struct err *err)
{
	(void)err;
	pg_clear(&quota_seeding_of(f)->rows);
}

static void
quota_seed_release(struct flow *f)
{
	arena_free(f->arena);
}

void
quota_seeding_begin(const struct api_context *ctx, const char *tenant,
    const struct quota_request *ask)
{
	struct arena *arena = arena_new(SEED_ARENA);
	struct quota_seeding *s = arena_first(arena, sizeof(*s));

	s->ctx = ctx;
	s->ask = *ask;
	memcpy(s->keys[0], ask->state_key.p, ask->state_key.len);
	memcpy(s->keys[1], ask->leases_key.p, ask->leases_key.len);
	s->ask.state_key.p = s->keys[0];
	s->ask.leases_key.p = s->keys[1];
	memcpy(s->tenant, tenant, strlen(tenant));
	flow_start(&s->flow, &quota_seed_kind, ctx->worker, arena);
	flow_deadline(&s->flow, SEED_TIMEOUT_US);
}
