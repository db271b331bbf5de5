/* SPDX-License-Identifier: MIT */
/*
 * signature_job: see the header.
 */
#include "auth/signature_job.h"

#include <stdlib.h>

#include "tenantgate/base/alloc.h"

struct signature_job *
signature_job_new(const struct jwt *t, struct jwk_set *set, const struct jwk *key)
{
	struct signature_job *job = xcalloc(1, sizeof(*job));

	refs_take(&set->refs);
	job->set = set;
	job->key = key;
	job->token.alg = t->alg;
	buf_init(&job->text, JWT_MAX);
	buf_init(&job->token.signature, JWT_MAX);
	if (!buf_slice(&job->text, t->signed_part) ||
	    !buf_slice(&job->token.signature, buf_view(&t->signature))) {
		signature_job_free(job);
		return NULL;
	}
	job->token.signed_part = buf_view(&job->text);
	return job;
}

void
signature_job_run(void *arg)
{
	struct signature_job *job = arg;

	job->is_good = jwt_signature_is_good(&job->token, job->key);
}

void
signature_job_free(void *arg)
{
	struct signature_job *job = arg;

	if (job == NULL)
		return;
	refs_give(&job->set->refs);
	jwt_free(&job->token);
	buf_free(&job->text);
	free(job);
}
