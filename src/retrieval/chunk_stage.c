/* SPDX-License-Identifier: MIT */
/*
 * chunk_stage: rows that have their vectors, into the staging table.
 *
 *	([stage_old]) --> [stage_copy] --> [staged] --> done
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "retrieval/chunk_copy.h"
#include "retrieval/staging_forget.h"
#include "tenantgate/base/alloc.h"

struct chunk_stage {
	struct flow flow;
	struct pool_lease *lease; /* borrowed */
	struct chunk_copy copy;
	struct chunk_attempt attempt;
	char stale_us[STAGED_AGO_US_SIZE];
	struct pg_result result; /* owned */
};

static flow_step_fn chunk_stage_old, chunk_stage_copy, chunk_stage_check;
static flow_release_fn chunk_stage_release;

static const struct flow_step chunk_stage_steps[] = {
	{ "stage_old", chunk_stage_old },
	{ "stage_copy", chunk_stage_copy },
	{ "staged", chunk_stage_check },
	{ NULL, NULL },
};

static const struct flow_kind chunk_stage_kind = { .name = "chunk_stage",
	.steps = chunk_stage_steps,
	.release = chunk_stage_release };

static enum flow_rc
chunk_stage_old(struct flow *f)
{
	struct chunk_stage *s = FLOW_OF(f, struct chunk_stage, &chunk_stage_kind);

	if (s->attempt.stale_us == 0)
		return FLOW_NEXT;
	return staging_forget_old(f, s->lease, s->attempt.schema_version, s->stale_us, &s->result);
}

static enum flow_rc
chunk_stage_copy(struct flow *f)
{
	struct chunk_stage *s = FLOW_OF(f, struct chunk_stage, &chunk_stage_kind);
	enum flow_rc rc = pg_check(f, &s->result, ERR_NONE, "look for what is left of others");

	return rc != FLOW_NEXT ? rc : chunk_copy_run(f, s->lease->conn, &s->copy, &s->result);
}

static enum flow_rc
chunk_stage_check(struct flow *f)
{
	struct chunk_stage *s = FLOW_OF(f, struct chunk_stage, &chunk_stage_kind);

	return pg_check(f, &s->result, ERR_NONE, "stage the chunks");
}

static void
chunk_stage_release(struct flow *f)
{
	struct chunk_stage *s = FLOW_OF(f, struct chunk_stage, &chunk_stage_kind);

	pg_clear(&s->result);
	free(s);
}

enum flow_rc
chunks_stage(struct flow *f, struct pool_lease *lease, const struct chunk_attempt *attempt,
    const struct chunk_rows *rows, store_progress_fn *progress, void *arg)
{
	struct chunk_stage *s = xcalloc(1, sizeof(*s));

	s->lease = lease;
	s->copy = (struct chunk_copy){ .columns = CHUNK_STAGED,
		.owner = attempt->name,
		.rows = rows,
		.progress = progress,
		.progress_arg = arg };
	s->attempt = *attempt;
	snprintf(s->stale_us, sizeof(s->stale_us), "%" PRIu64, attempt->stale_us);
	return flow_call(f, &s->flow, &chunk_stage_kind);
}
