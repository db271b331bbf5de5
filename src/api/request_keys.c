/* SPDX-License-Identifier: MIT */
/*
 * request_keys: see the header; and which of these go with a tenant.
 */
#include "api/request_keys.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tenantgate/api.h"
#include "tenantgate/base/mutation.h"

size_t
limit_key_write(char *out, size_t size, const char *environment, bool is_cluster,
    struct limit_name name)
{
	size_t tag = is_cluster ? strnlen(environment, REDIS_TAG_MAX) : 0;
	int n = snprintf(out, size, "tg:limit:%s%.*s%s%s:%s:%s%s%s", is_cluster ? "{" : "",
	    (int)tag, environment, is_cluster ? "}" : "", environment + tag, name.what, name.id,
	    name.user[0] != '\0' ? "/" : "", name.user);

	assert(n > 0 && (size_t)n < size);
	return (size_t)n;
}

/* Those of its users have names that nobody keeps a list of; they go by themselves, a minute after
 * the last request. */
bool
api_tenant_redis_key(const struct tenants_conf *conf, const char *id, unsigned i, bool is_cluster,
    char out[TENANT_REDIS_KEY_SIZE])
{
	static const char *const names[] = { "tenant", "quota", "leases" };

	if (i >= sizeof(names) / sizeof(names[0]))
		return false;
	limit_key_write(out, TENANT_REDIS_KEY_SIZE, conf->environment, is_cluster,
	    (struct limit_name){ names[i], mutated(MUTATION_END_KEYS, id), "" });
	return true;
}
