/* SPDX-License-Identifier: MIT */
/*
 * ingest_run: who does the work on the body of POST /ingest, and who has it when.
 *
 *	the socket --> arrived (where it is large) --> work --> freed
 */
#include "api/ingest_arrive.h"
#include "api/ingest_json.h"
#include "api/ingest_state.h"

/* An offload_fn: a disk that does not give back what it has taken is the end of the request, and
 * not of the process. */
static void
run_watched(void *arg)
{
	struct ingest_work *w = arg;
	struct spool_watch watch = { .files = { &w->file, &w->decoded } };

	spool_watch(&watch);
	w->on_disk(w);
	(void)spool_unwatch(&watch, &w->job.err);
}

enum flow_rc
ingest_run_work(struct flow *f, struct ingest *in, size_t bytes, offload_fn *fn)
{
	struct ingest_work *w = in->work;

	if (err_is(&w->job.err) || !ingest_work_is_on_disk(w))
		return body_job_run(f, bytes, fn, ingest_work_free, &in->work);
	w->on_disk = fn;
	return offload_run_on(in->req.ctx->shared->spool_helpers, f, slice_str(in->req.tenant_id),
	    run_watched, ingest_work_free, w, &in->work);
}

enum flow_rc
ingest_begin_work(struct flow *f, struct ingest *in)
{
	size_t bytes = in->req.body.len;
	struct err err = { .code = ERR_NONE };

	if (in->arrived != NULL && ingest_body_is_json(http_header(in->req.x, "Content-Type")) &&
	    !ingest_memory_json(&in->memory, INGEST_JSON_MEMORY, &err))
		return flow_fail_err(f, &err);
	in->work = ingest_work_new(&in->req, in->arrived);
	in->arrived = NULL;
	ingest_memory_move(&in->memory, &work_of(in)->grants);
	return ingest_run_work(f, in, bytes, ingest_work_parse);
}

/* A file's end may wait for the disk, as its bytes may. */
static void
discard_on_disk(struct ingest *in, offload_drop_fn *drop, void *what)
{
	offload_discard_on(in->req.ctx->shared->spool_helpers, slice_str(in->req.tenant_id), drop,
	    what);
}

void
ingest_end_work(struct ingest *in)
{
	if (in->arrived != NULL)
		discard_on_disk(in, arrived_free, in->arrived);
	if (in->work != NULL && ingest_work_is_on_disk(work_of(in)))
		discard_on_disk(in, ingest_work_free, in->work);
	else
		body_job_end(&in->req, ingest_work_free, in->work,
		    ingest_work_clear_bytes(in->work, model_dimensions(in->req.ctx->model)));
	in->arrived = in->work = NULL;
}
