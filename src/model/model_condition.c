/* SPDX-License-Identifier: MIT */
/*
 * model_condition: how the model's servers are, by the calls of all workers. A server is ill when
 * its last calls have all failed by its own fault, and until one succeeds; what nobody has called
 * for a while is not known to be ill. A request that it refuses (400, 413) says nothing of it.
 */
#include <stdio.h>

#include "model/model_internal.h"
#include "tenantgate/base/clock.h"

#define ILL_AFTER 3		     /* failures in a row */
#define FORGET_US (300 * 1000000ull) /* after the last one */

void
model_call_succeeded(const struct model_call *call)
{
	struct model_record *r = &call->choice->server->records[call->kind];

	pthread_mutex_lock(&r->lock);
	r->failures = 0;
	pthread_mutex_unlock(&r->lock);
}

static bool
failure_is_the_servers(const struct web_response *response)
{
	int status = response->status;

	if (response->failure != WEB_FINE)
		return response->failure != WEB_NO_MEMORY;
	return status == 401 || status == 403 || status == 404 || status == 408 || status == 429 ||
	    status >= 500;
}

void
model_call_failed(const struct model_call *call, const struct web_response *response)
{
	struct model_record *r = &call->choice->server->records[call->kind];

	if (!failure_is_the_servers(response))
		return;
	pthread_mutex_lock(&r->lock);
	r->failures++;
	r->failed_us = clock_mono_us();
	r->status = response->failure == WEB_FINE ? response->status : 0;
	r->has_timed_out = response->failure == WEB_TIMEOUT;
	pthread_mutex_unlock(&r->lock);
}

static void
record_reason(const struct model_record *r, char *out, size_t size)
{
	if (r->status != 0)
		snprintf(out, size, "HTTP %d", r->status);
	else
		snprintf(out, size, "%s",
		    r->has_timed_out ? "it did not answer in time" : "it could not be reached");
}

static void
record_condition(struct model_record *r, const char *stage, struct condition *out)
{
	uint64_t now_us = clock_mono_us();
	char why[64];

	pthread_mutex_lock(&r->lock);
	if (r->failures >= ILL_AFTER && now_us - r->failed_us < FORGET_US) {
		record_reason(r, why, sizeof(why));
		condition_ill(out,
		    "The last %u calls of the %s failed (%s), the last one %llu s ago; look at "
		    "model_url, model_api_key and its quota.",
		    r->failures, stage, why,
		    (unsigned long long)((now_us - r->failed_us) / 1000000));
	}
	pthread_mutex_unlock(&r->lock);
}

void
model_condition(const struct model *m, struct condition *out)
{
	const struct model_servers *all = &m->shares->servers;

	for (unsigned i = 0; i < all->count; i++) {
		struct model_record *records = all->servers[i].records;

		record_condition(&records[MODEL_EMBEDDINGS], "embedding model", out);
		record_condition(&records[MODEL_CHAT], "chat model", out);
	}
}

void
model_shares_condition(const struct model *m, struct condition *out)
{
	share_condition(m->shares->streams, out);
	share_condition(m->shares->embeddings, out);
}

void
model_shares_stats(const struct model *m, struct share_stats *streams,
    struct share_stats *embeddings)
{
	share_stats(m->shares->streams, streams);
	share_stats(m->shares->embeddings, embeddings);
}
