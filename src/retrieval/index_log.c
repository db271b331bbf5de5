/* SPDX-License-Identifier: MIT */
#include "retrieval/index_statement.h"
#include "tenantgate/base/log.h"

/* Of a batch of an app's own table (embeddings_copy.h). */
static void
log_copied(const char *tenant, const struct pg_result *r)
{
	if (pg_rows(r) == 0 || pg_text(r, 0, 1)[0] != 't')
		return;
	log_event(LOG_NOTICE, "embeddings.copied", NULL,
	    "Tenant %s's table public.embeddings was copied; %s of its rows have no vector, no "
	    "document that could be named, or one that was stored here, and were left out.",
	    tenant, pg_text(r, 0, 0));
}

void
index_log(const struct index_order *o, const char *tenant, uint64_t us, const struct pg_result *r)
{
	if (o->decision->action == INDEX_BUILD)
		log_event(LOG_NOTICE, "index.built", NULL,
		    "Tenant %s has a new index of about %llu chunks; it took %llu ms.", tenant,
		    (unsigned long long)o->state->rows, (unsigned long long)us / 1000);
	else if (o->decision->action == INDEX_COPY)
		log_copied(tenant, r);
	else if (o->decision->action == INDEX_DROP)
		log_event(LOG_INFO, "index.dropped", NULL,
		    "Tenant %s's index %s was of no more use and is gone.", tenant,
		    o->decision->name);
}
