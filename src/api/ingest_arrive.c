/* SPDX-License-Identifier: MIT */
/*
 * ingest_arrive: see the header. The file's helpers are its own: a disk that is slow must not keep
 * logins and JSON from theirs.
 */
#include "api/ingest_arrive.h"

#include <stdlib.h>

#include "tenantgate/base/alloc.h"

static flow_step_fn arrive_piece, arrive_write, arrive_written;

static const struct flow_step arrive_steps[] = {
	{ "body_piece", arrive_piece },
	{ "body_write", arrive_write },
	{ "body_written", arrive_written },
	{ NULL, NULL },
};

static const struct flow_kind arrive_kind = { .name = "arrive", .steps = arrive_steps };

struct arrival {
	struct flow flow;	      /* first */
	struct ingest_memory *memory; /* borrowed */
	void **arrived;		      /* borrowed: see arrived_of() */
};

static struct arrival *
arrival_of(struct flow *f)
{
	return FLOW_OF(f, struct arrival, &arrive_kind);
}

/* NULL before there is a file, and while a helper has it. */
static struct arrived *
arrived_of(struct arrival *a)
{
	return *a->arrived;
}

void
arrived_free(void *arg)
{
	struct arrived *in = arg;

	if (in == NULL)
		return;
	ingest_room_close(&in->room, &in->file);
	buf_free(&in->piece);
	free(in);
}

static enum flow_rc
arrive_piece(struct flow *f)
{
	struct arrival *a = arrival_of(f);
	struct request *req = a->memory->req;
	bool stays = req->ctx->shared->spool_folder == 0;

	return http_read_body_piece(f, req->x, &req->body, stays ? SIZE_MAX : ARRIVE_PIECE);
}

static struct arrived *
arrived_new(const struct request *req)
{
	struct arrived *in = xcalloc(1, sizeof(*in));

	in->room = (struct ingest_room){ .folder = req->ctx->shared->spool_folder,
		.budget = req->ctx->shared->budgets.spool };
	memcpy(in->room.tenant, req->tenant_id, sizeof(in->room.tenant));
	spool_init(&in->file);
	return in;
}

/* An offload_fn. */
static void
arrived_write(void *arg)
{
	struct arrived *in = arg;

	(void)ingest_room_add(&in->room, &in->file, buf_view(&in->piece), &in->err);
}

/* All of it is in the file. The ceiling is the whole body's again. */
static enum flow_rc
arrive_end(struct arrival *a)
{
	struct request *req = a->memory->req;

	buf_free(&req->body);
	req->body.max += arrived_of(a)->file.len;
	share_give(&a->memory->body);
	return FLOW_DONE;
}

static enum flow_rc
arrive_write(struct flow *f)
{
	struct arrival *a = arrival_of(f);
	struct request *req = a->memory->req;

	if (http_body_is_complete(req->x) && arrived_of(a) == NULL)
		return FLOW_DONE;
	if (http_body_is_complete(req->x) && req->body.len == 0)
		return arrive_end(a);
	if (arrived_of(a) == NULL)
		*a->arrived = arrived_new(req);
	arrived_of(a)->piece = req->body;
	buf_init(&req->body, req->body.max - req->body.len);
	return offload_run_on(req->ctx->shared->spool_helpers, f, slice_str(req->tenant_id),
	    arrived_write, arrived_free, *a->arrived, a->arrived);
}

/* The piece's memory is used again; its ceiling is what may still come. */
static enum flow_rc
arrive_written(struct flow *f)
{
	struct arrival *a = arrival_of(f);
	struct arrived *in = arrived_of(a);
	struct request *req = a->memory->req;
	size_t left = req->body.max;

	if (err_is(&in->err))
		return flow_fail_err(f, &in->err);
	req->body = in->piece;
	buf_init(&in->piece, 0);
	buf_reset(&req->body);
	req->body.max = left;
	if (http_body_is_complete(req->x))
		return arrive_end(a);
	return flow_goto(f, arrive_piece);
}

enum flow_rc
ingest_arrive(struct flow *f, struct ingest_memory *m, void **out)
{
	struct arrival *a = arena_alloc(f->arena, sizeof(*a));

	if (a == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the body");
	*a = (struct arrival){ .memory = m, .arrived = out };
	return flow_call(f, &a->flow, &arrive_kind);
}
