/* SPDX-License-Identifier: MIT */
/*
 * end_redis: what Redis holds of a tenant that ends is taken out, and the replies are looked at,
 * which tenant_forget() does not.
 */
#ifndef TENANT_END_REDIS_H
#define TENANT_END_REDIS_H

#include "tenant/tenant_internal.h"
#include "tenantgate/tenant/ends.h"

struct end_redis {
	struct flow flow;
	struct tenants *tenants; /* borrowed */
	const char *id;		 /* borrowed */
	bool is_deleted;	 /* other keys than the record go, too */
	int ordered_ago_s;
	struct redis_reply reply; /* owned */
	char key[TENANT_REDIS_KEY_SIZE];
	unsigned keys; /* so far */
};

/* The parent fills in all but the last three, zeroed, and calls flow_try(). Fails with ERR_UPSTREAM
 * when Redis is away and may still come back with a record that is good. */
extern const struct flow_kind end_redis_kind;

#endif
