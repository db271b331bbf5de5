/* SPDX-License-Identifier: MIT */
#include "retrieval/embeddings_copy.h"
#include "retrieval/index_statement.h"
#include "tenantgate/base/log.h"

void
index_log(const struct index_order *o, const char *tenant, uint64_t us, const struct pg_result *r)
{
	if (o->decision->action == INDEX_BUILD)
		log_event(LOG_NOTICE, "index.built", NULL,
		    "Tenant %s has a new index of about %llu chunks; it took %llu ms.", tenant,
		    (unsigned long long)o->state->rows, (unsigned long long)us / 1000);
	else if (o->decision->action == INDEX_COPY)
		embeddings_copy_log(tenant, r);
	else if (o->decision->action == INDEX_DROP)
		log_event(LOG_INFO, "index.dropped", NULL,
		    "Tenant %s's index %s was of no more use and is gone.", tenant,
		    o->decision->name);
}
