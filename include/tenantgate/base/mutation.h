/* SPDX-License-Identifier: MIT */
/*
 * mutation: one mistake at a time, made on purpose, for tests/mutation/run: a key, a cache, a seal
 * or a limit that forgets whose it is. The suite must notice each of them.
 *
 * Only a build by `configure --enable-mutations` has it; elsewhere mutated() is its argument, and
 * nothing of this is in the program. There the variable TENANTGATE_MUTATION, read once, names the
 * mutation that is on; a name that is none ends the program.
 *
 * A mutation that is on gives the first text that came there, whatever comes, until the process
 * ends: so the first tenant is served as ever, and any other as if it were the first; a tenant
 * alone notices nothing. That of a seal gives one text for all, as if nothing were authenticated
 * with it.
 */
#ifndef TENANTGATE_BASE_MUTATION_H
#define TENANTGATE_BASE_MUTATION_H

#ifdef TENANTGATE_MUTATIONS

#include "tenantgate/base/slice.h"

enum mutation {
	MUTATION_POOL_KEY,	/* a tenant's pool of connections */
	MUTATION_CLUSTER_NAME,	/* the names of its database and role */
	MUTATION_PROJECT_NAME,	/* of its project at Neon */
	MUTATION_OWNER_MARK,	/* whose a database says that it is */
	MUTATION_TENANT_CACHE,	/* tenants' records in memory */
	MUTATION_TENANT_FORGET,	/* whose record goes when it has changed */
	MUTATION_DROP_CHANNEL,	/* of whom other replicas hear */
	MUTATION_RECORD_KEY,	/* tenants' records in Redis */
	MUTATION_RECORD_SEAL,
	MUTATION_ROW_SEAL,	/* passwords in the catalog */
	MUTATION_KEY_CACHE,	/* keys' records in memory */
	MUTATION_KEY_TENANT,	/* the tenant in them */
	MUTATION_LIMIT_TENANT,	/* a tenant's rate */
	MUTATION_LIMIT_USER,	/* its user's */
	MUTATION_QUOTA,		/* what it has spent */
	MUTATION_LEASES,	/* what its requests hold */
	MUTATION_END_KEYS,	/* its keys in Redis, which go with it */
	MUTATION_SHARE_STREAMS,	/* holders of budgets */
	MUTATION_SHARE_EMBEDDINGS,
	MUTATION_SHARE_RANKINGS,
	MUTATION_SHARE_INGESTS,
	MUTATION_DOCUMENT_LIST,	/* the catalog's list of documents */
	MUTATION_DOCUMENT_GET,
	MUTATION_DOCUMENT_BEGIN,
	MUTATION_DOCUMENT_READY,
	MUTATION_DOCUMENT_CLAIM,
	MUTATION_DOCUMENT_MARK,
	MUTATION_DOCUMENT_EQUAL,
	MUTATION_USAGE,		/* what it has used */
	MUTATION_PSEUDONYM,	/* what models are told of its users */
	MUTATION_ACCESS_LOG,
	MUTATION_LOUDEST,	/* who asks most */
	MUTATION_TRACE,
	MUTATION_USE,		/* whose requests end with it */
	MUTATION_PROVISION,	/* what is being made, and for whom */
	MUTATION_RECONCILE,	/* when it was looked at last */
	MUTATION_SWEEP,
	MUTATION_EXPIRY,
	MUTATION_INDEX_TENANT,
	MUTATION_LOCKOUT,	/* whose database is known to be gone */
	MUTATION_ROW,	/* a tenant's row in the catalog */
	MUTATION_TOKEN_TENANT,	/* the tenant in a token of ours */
	MUTATION_TOKEN_GENERATION,	/* whose tokens are revoked */
	MUTATION_ISSUER_TENANT,	/* the tenant of an issuer's token */
	MUTATION_KEY_LIST,	/* keys that an operator sees */
	MUTATION_DOCUMENT_DELETE,
	MUTATION_EXPIRED_ROWS,	/* what is over */
	MUTATION_SWEEP_CLAIM,	/* whose turn it is to be swept */
	MUTATION_SWEEP_ROWS,
	MUTATION_RECONCILE_ROWS,	/* what was left half-way */
	MUTATION_USAGE_READ,
	MUTATION_UPGRADE,	/* whose schema is brought up to date */
	MUTATIONS
};

/* The text, or what a mutation makes of it: static, or the caller's own. Any thread. */
const char	*mutated(enum mutation, const char *);
struct slice	 mutated_slice(enum mutation, struct slice);

#else

#define mutated(which, text)	   (text)
#define mutated_slice(which, text) (text)

#endif

#endif
