/* SPDX-License-Identifier: MIT */
/*
 * mutation: see the header. Compiled by --enable-mutations alone.
 */
#include "tenantgate/base/mutation.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"

#define ALL_ALIKE "anybody"

static const struct {
	const char *name;
	const char *constant; /* NULL: the first text that came */
} mutations[MUTATIONS] = {
	[MUTATION_POOL_KEY] = { .name = "pool-key" },
	[MUTATION_CLUSTER_NAME] = { .name = "cluster-name" },
	[MUTATION_PROJECT_NAME] = { .name = "project-name" },
	[MUTATION_OWNER_MARK] = { .name = "owner-mark" },
	[MUTATION_TENANT_CACHE] = { .name = "tenant-cache" },
	[MUTATION_TENANT_FORGET] = { .name = "tenant-forget" },
	[MUTATION_DROP_CHANNEL] = { .name = "drop-channel" },
	[MUTATION_RECORD_KEY] = { .name = "record-key" },
	[MUTATION_RECORD_SEAL] = { .name = "record-seal", .constant = ALL_ALIKE },
	[MUTATION_ROW_SEAL] = { .name = "row-seal", .constant = ALL_ALIKE },
	[MUTATION_KEY_CACHE] = { .name = "key-cache" },
	[MUTATION_KEY_TENANT] = { .name = "key-tenant" },
	[MUTATION_LIMIT_TENANT] = { .name = "limit-tenant" },
	[MUTATION_LIMIT_USER] = { .name = "limit-user" },
	[MUTATION_QUOTA] = { .name = "quota" },
	[MUTATION_LEASES] = { .name = "leases" },
	[MUTATION_END_KEYS] = { .name = "end-keys" },
	[MUTATION_SHARE_STREAMS] = { .name = "share-streams" },
	[MUTATION_SHARE_EMBEDDINGS] = { .name = "share-embeddings" },
	[MUTATION_SHARE_RANKINGS] = { .name = "share-rankings" },
	[MUTATION_SHARE_INGESTS] = { .name = "share-ingests" },
	[MUTATION_DOCUMENT_LIST] = { .name = "document-list" },
	[MUTATION_DOCUMENT_GET] = { .name = "document-get" },
	[MUTATION_DOCUMENT_BEGIN] = { .name = "document-begin" },
	[MUTATION_DOCUMENT_READY] = { .name = "document-ready" },
	[MUTATION_DOCUMENT_CLAIM] = { .name = "document-claim" },
	[MUTATION_DOCUMENT_MARK] = { .name = "document-mark" },
	[MUTATION_DOCUMENT_EQUAL] = { .name = "document-equal" },
	[MUTATION_USAGE] = { .name = "usage" },
	[MUTATION_PSEUDONYM] = { .name = "pseudonym" },
	[MUTATION_ACCESS_LOG] = { .name = "access-log" },
	[MUTATION_LOUDEST] = { .name = "loudest" },
	[MUTATION_TRACE] = { .name = "trace" },
	[MUTATION_USE] = { .name = "use" },
	[MUTATION_PROVISION] = { .name = "provision" },
	[MUTATION_RECONCILE] = { .name = "reconcile" },
	[MUTATION_SWEEP] = { .name = "sweep" },
	[MUTATION_EXPIRY] = { .name = "expiry" },
	[MUTATION_INDEX_TENANT] = { .name = "index-tenant" },
	[MUTATION_LOCKOUT] = { .name = "lockout" },
	[MUTATION_ROW] = { .name = "row" },
	[MUTATION_TOKEN_TENANT] = { .name = "token-tenant" },
	[MUTATION_TOKEN_GENERATION] = { .name = "token-generation" },
	[MUTATION_ISSUER_TENANT] = { .name = "issuer-tenant" },
	[MUTATION_KEY_LIST] = { .name = "key-list" },
	[MUTATION_DOCUMENT_DELETE] = { .name = "document-delete" },
	[MUTATION_EXPIRED_ROWS] = { .name = "expired-rows" },
	[MUTATION_SWEEP_CLAIM] = { .name = "sweep-claim" },
	[MUTATION_SWEEP_ROWS] = { .name = "sweep-rows" },
	[MUTATION_RECONCILE_ROWS] = { .name = "reconcile-rows" },
	[MUTATION_USAGE_READ] = { .name = "usage-read" },
	[MUTATION_UPGRADE] = { .name = "upgrade" },
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned mutation_on = MUTATIONS;
static pthread_mutex_t first_mutex = PTHREAD_MUTEX_INITIALIZER;
static char *first; /* that came to the mutation that is on; until the process ends */

static void
mutation_read(void)
{
	const char *name = getenv("TENANTGATE_MUTATION");

	if (name == NULL || name[0] == '\0')
		return;
	for (mutation_on = 0; mutation_on < MUTATIONS; mutation_on++)
		if (strcmp(name, mutations[mutation_on].name) == 0)
			return;
	fprintf(stderr, "There is no mutation %s; correct TENANTGATE_MUTATION.\n", name);
	exit(2);
}

static bool
mutation_is_on(enum mutation which)
{
	pthread_once(&once, mutation_read);
	return which == mutation_on;
}

const char *
mutated(enum mutation which, const char *text)
{
	if (!mutation_is_on(which) || text == NULL)
		return text;
	if (mutations[which].constant != NULL)
		return mutations[which].constant;
	pthread_mutex_lock(&first_mutex);
	if (first == NULL)
		first = xstrdup(text);
	pthread_mutex_unlock(&first_mutex);
	return first;
}

/* The texts have no NUL. */
struct slice
mutated_slice(enum mutation which, struct slice text)
{
	char *copy;
	const char *other;

	if (!mutation_is_on(which) || text.p == NULL)
		return text;
	copy = strndup(text.p, text.len);
	other = mutated(which, copy);
	free(copy);
	return slice_str(other);
}
