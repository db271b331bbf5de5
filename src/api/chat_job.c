/* SPDX-License-Identifier: MIT */
/* chat_job.c: see the header. */
#include "api/chat_job.h"

#include "api/chat_extract.h"
#include "api/chat_turns.h"

struct chat_job *
chat_job_new(struct request *req)
{
	struct chat_job *j = body_job_new(req, sizeof(*j));

	request_conf(req, &j->conf);
	j->temperature = req->tenant.limits->temperature;
	j->named = body_job_copy(&j->job, http_header(req->x, "X-Tenantgate-Stream"));
	j->accept = body_job_copy(&j->job, http_header(req->x, "Accept"));
	return j;
}

void
chat_job_free(void *arg)
{
	struct chat_job *j = arg;

	if (j != NULL && j->file != NULL)
		extract_free(&j->file->extracted);
	body_job_free(j);
}

void
chat_job_read(void *arg)
{
	struct chat_job *j = arg;
	json_t *root = body_job_json(&j->job, CHAT_NODES_MAX);

	if (root == NULL)
		return;
	if (stream_choose(j->named, j->accept, root, &j->stream, &j->job.err))
		(void)chat_body_read(root, &j->conf, j->job.arena, &j->input, &j->job.err);
	if (j->input.temperature < 0)
		j->input.temperature = j->temperature;
	json_decref(root);
}

void
chat_job_file(void *arg)
{
	struct chat_job *j = arg;

	(void)chat_extract_read(&j->conf.extract, j->file, j->job.arena, &j->job.err);
}

void
chat_job_turns(void *arg)
{
	struct chat_job *j = arg;

	(void)chat_turns_make(&j->input, j->conf.chat_file_text_max, j->job.arena, &j->job.err);
}
