/* SPDX-License-Identifier: MIT */
/*
 * fake_conf_init: what loading a configuration calls of the modules, for tests that link none of
 * them: defaults of zeros, and readers that refuse what has "malformed" in it.
 */
#include <assert.h>
#include <string.h>

#include "conf.h"
#include "tenantgate/wire/pg_url.h"

void
http_conf_init(struct http_conf *c)
{
	memset(c, 0, sizeof(*c));
}

bool
http_proxies_are_valid(const char *list, struct err *err)
{
	if (list == NULL || strstr(list, "malformed") == NULL)
		return true;
	err_set(err, ERR_INTERNAL, "The list is malformed.");
	return false;
}

bool
http_origins_are_valid(const char *list, struct err *err)
{
	return http_proxies_are_valid(list, err);
}

void
api_conf_init(struct api_conf *c)
{
	memset(c, 0, sizeof(*c));
}

void
pool_conf_init(struct pool_conf *c)
{
	memset(c, 0, sizeof(*c));
}

void
auth_conf_init(struct auth_conf *c)
{
	memset(c, 0, sizeof(*c));
}

bool
issuer_conf_valid(const struct issuer_conf *all, unsigned which, const char **key, struct err *err)
{
	*key = "algorithms";
	if (strstr(all[which].algorithms, "malformed") == NULL)
		return true;
	err_set(err, ERR_INVALID_FIELD, "The list is malformed.");
	return false;
}

void
tenants_conf_init(struct tenants_conf *c)
{
	memset(c, 0, sizeof(*c));
}

void
model_conf_init(struct model_conf *c)
{
	memset(c, 0, sizeof(*c));
}

bool
model_server_conf_valid(const struct model_server_conf *c, const char **key, struct err *err)
{
	*key = "headers";
	if (c->headers == NULL || strstr(c->headers, "malformed") == NULL)
		return true;
	err_set(err, ERR_INTERNAL, "The fields are malformed.");
	return false;
}

bool
model_conf_valid(const struct model_conf *c, const char **key, struct err *err)
{
	(void)c;
	(void)key;
	(void)err;
	return true;
}

bool
pg_url_read(struct arena *arena, const char *url, enum pg_url_policy policy, struct pg_target *out,
    struct err *err)
{
	assert(policy == PG_URL_STRICT);
	(void)arena;
	(void)out;
	if (strstr(url, "malformed") == NULL)
		return true;
	err_set(err, ERR_INTERNAL, "The URL is malformed.");
	return false;
}
