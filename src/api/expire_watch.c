/* SPDX-License-Identifier: MIT */
/*
 * expire_watch: see the header.
 */
#include "api/expire_watch.h"

#include <stdio.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/map.h"
#include "tenantgate/base/mutation.h"

#define LOOK_US	  (10 * 1000000ull)
#define FAILED_US 1000000ull /* meanwhile no other search waits for the catalog */

/* Beside the entries of request_sweep.c, whose tenants' ids have no such mark: the monotonic time
 * until which nothing is to be done. */
static struct slice
expire_key(enum expire_watch watch, const char *tenant_id, char out[TENANT_ID_MAX + 2])
{
	static const char
	    marks[] = { [EXPIRE_BEFORE] = '?', [EXPIRE_BEHIND] = '*', [EXPIRE_UNDER_WAY] = '&' };

	return slice_of(out,
	    (size_t)snprintf(out, TENANT_ID_MAX + 2, "%c%s", marks[watch],
		mutated(MUTATION_EXPIRY, tenant_id)));
}

bool
expire_is_due(const struct request *req, enum expire_watch watch)
{
	char key[TENANT_ID_MAX + 2];
	const uint64_t *until_us = map_get(req->ctx->swept, expire_key(watch, req->tenant_id, key));

	return until_us == NULL || clock_mono_us() >= *until_us;
}

/* Without memory it is due again at the next contact. */
void
expire_note(const struct api_context *ctx, enum expire_watch watch, const char *tenant_id,
    uint64_t wait_us)
{
	char key[TENANT_ID_MAX + 2];
	uint64_t *until_us = xmalloc(sizeof(*until_us));

	*until_us = clock_mono_us() + wait_us;
	if (!map_put(ctx->swept, expire_key(watch, tenant_id, key), until_us))
		free(until_us);
}

void
expire_looked(const struct api_context *ctx, enum expire_watch watch, const char *tenant_id,
    const char *request_id, uint64_t next_us, const struct err *why)
{
	uint64_t wait_us = next_us < LOOK_US ? next_us : LOOK_US;

	expire_note(ctx, watch, tenant_id, err_is(why) ? FAILED_US : wait_us);
	if (err_is(why))
		log_event(LOG_WARNING, "documents.expire_failed", request_id,
		    "Documents of tenant %s whose time is over were not looked for; a request of a "
		    "second later tries again: %s",
		    tenant_id, why->detail);
}

void
expire_forget(const struct api_context *ctx, enum expire_watch watch, const char *tenant_id)
{
	char key[TENANT_ID_MAX + 2];

	map_del(ctx->swept, expire_key(watch, tenant_id, key));
}

void
request_expiry_changed(const struct request *req, const char *expires_at)
{
	if (req->ctx->swept == NULL || expires_at == NULL || expires_at[0] == '\0')
		return;
	expire_forget(req->ctx, EXPIRE_BEFORE, req->tenant_id);
	expire_forget(req->ctx, EXPIRE_BEHIND, req->tenant_id);
}
