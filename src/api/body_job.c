/* SPDX-License-Identifier: MIT */
/*
 * body_job: see the header.
 */
#include "api/body_job.h"

#include "tenantgate/auth/tenant_named.h"
#include "tenantgate/base/json.h"

void *
body_job_new(struct request *req, size_t size)
{
	struct arena *arena = arena_new(REQUEST_ARENA_MAX + req->body.max);
	struct body_job *job = arena_first(arena, size);

	job->arena = arena;
	job->body = req->body;
	memcpy(job->tenant, req->tenant_id, sizeof(job->tenant));
	buf_init(&req->body, req->body.max);
	return job;
}

void
body_job_free(void *arg)
{
	struct body_job *job = arg;

	if (job == NULL)
		return;
	buf_free(&job->body);
	arena_free(job->arena); /* with the job */
}

struct slice
body_job_copy(struct body_job *job, struct slice s)
{
	const char *copy = s.p == NULL ? NULL : arena_slice(job->arena, s);

	if (s.p != NULL && copy == NULL)
		err_set(&job->err, ERR_OVERLOADED, ERR_NO_MEMORY, "the request's fields");
	return slice_of(copy, copy == NULL ? 0 : s.len);
}

/* The tenant is the holder: its large bodies wait for each other before others wait for them. */
enum flow_rc
body_job_run(struct flow *f, size_t bytes, offload_fn *fn, offload_drop_fn *drop, void **job)
{
	struct body_job *j = *job;

	if (err_is(&j->err))
		return FLOW_NEXT;
	if (bytes > BODY_HERE_MAX)
		return offload_run(f, slice_str(request_of(f)->tenant_id), fn, drop, j, job);
	fn(j);
	return FLOW_NEXT;
}

void
body_job_end(struct request *req, offload_drop_fn *drop, void *arg, size_t more)
{
	const struct body_job *job = arg;

	if (job == NULL)
		return;
	if (job->body.cap + arena_used(job->arena) + more > BODY_FREED_HERE_MAX)
		offload_discard(req->ctx->worker, slice_str(req->tenant_id), drop, arg);
	else
		drop(arg);
}

json_t *
body_job_json(struct body_job *job, size_t nodes_max)
{
	struct slice text = buf_view(&job->body);
	json_t *root = NULL;

	if (json_nodes_fit(text, nodes_max, &job->err))
		root = json_read_object(text, &job->err);
	buf_free(&job->body);
	if (root != NULL && !tenant_named_in_json(root, job->tenant, &job->err)) {
		json_decref(root);
		return NULL;
	}
	return root;
}
