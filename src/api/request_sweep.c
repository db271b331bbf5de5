/* SPDX-License-Identifier: MIT */
/*
 * request_sweep: when a request has its tenant's list of documents compared with the database
 * (retrieval/sweep.c): at its end, in the background, if the database was asked anyway and so is
 * awake. Once an interval; sooner where a search has missed a document.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/request.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/map.h"
#include "tenantgate/base/mutation.h"

#define SOON_US	       (30 * 1000000ull) /* between two sweeps that were asked for */
#define SWEEP_KEY_SIZE (TENANT_ID_MAX + 16)

static bool
hits_have(const char *id, const struct hits *hits)
{
	for (unsigned i = 0; i < hits->count; i++)
		if (strcmp(hits->items[i].document_id, id) == 0)
			return true;
	return false;
}

/* Fewer chunks than were asked for are all there are: a document without one is not stored. */
void
request_note_hits(struct request *req, const char *const *ids, unsigned id_count, unsigned k,
    const struct hits *hits)
{
	for (unsigned i = 0; i < id_count && hits->count < k; i++)
		if (!hits_have(ids[i], hits))
			req->has_missed = true;
}

/* Sweeps for a document that was missed are counted apart: a tenant's id has no such mark. So are
 * those of another version: a database that has grown can be told more. */
static struct slice
sweep_key(const struct request *req, char out[SWEEP_KEY_SIZE])
{
	return slice_of(out,
	    (size_t)snprintf(out, SWEEP_KEY_SIZE, "%s%s/%d", req->has_missed ? "!" : "",
		mutated(MUTATION_SWEEP, req->tenant_id), req->tenant.schema_version));
}

/* Whether this worker has asked for no sweep of the tenant within that time. */
static bool
sweep_is_due(const struct request *req, uint64_t wait_us)
{
	char key[SWEEP_KEY_SIZE];
	const uint64_t *last_us = map_get(req->ctx->swept, sweep_key(req, key));

	return last_us == NULL || clock_mono_us() >= *last_us + wait_us;
}

/* Without memory it is due again at the next contact. */
static void
sweep_note(const struct request *req)
{
	char key[SWEEP_KEY_SIZE];
	uint64_t *now = xmalloc(sizeof(*now));

	*now = clock_mono_us();
	if (!map_put(req->ctx->swept, sweep_key(req, key), now))
		free(now);
}

/* The claim in the catalog is a tenth more generous than the worker's own clock, which began to
 * count a moment earlier than the catalog's. */
void
request_sweep(struct request *req)
{
	const struct api_context *ctx = req->ctx;
	struct pool_target target = { 0 };
	char key[TENANT_KEY_SIZE];
	uint64_t wait_us;

	if (ctx->swept == NULL || req->tenant.state != TENANT_READY || !req->has_borrowed)
		return;
	wait_us = req->conf->documents_sweep_interval_us;
	if (req->has_missed && wait_us > SOON_US)
		wait_us = SOON_US;
	if (!sweep_is_due(req, wait_us))
		return;
	tenant_target(&req->tenant, &target, key);
	if (documents_sweep(ctx->worker, ctx->catalog, ctx->pools, &target, req->tenant_id,
		req->tenant.schema_version, wait_us - wait_us / 10, &ctx->shared->sweeps))
		sweep_note(req);
}
