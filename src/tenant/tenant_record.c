/* SPDX-License-Identifier: MIT */
/*
 * tenant_record: a tenant in memory, and as sealed JSON in Redis. Redis is not trusted: whoever
 * can write there could point a tenant at a database of theirs. So a value counts only when it
 * was sealed with our key for this very Redis key.
 */
#include "tenant/tenant_record.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/base/secret.h"

/* Bytes of JSON; a longer one is not put into Redis. Few letters of settings are escaped. */
#define RECORD_TEXT_MAX (4096u + 2 * PLAN_SETTINGS_MAX)

static void
tenant_record_free(struct lookup_record *base)
{
	struct tenant_record *r = (struct tenant_record *)base;

	bytes_wipe(&r->tenant, sizeof(r->tenant));
	free(r->settings);
	free(r->own);
	free(r);
}

struct tenant_record *
record_new(struct slice id)
{
	struct tenant_record *r = xcalloc(1, sizeof(*r));

	lookup_record_init(&r->base, tenant_record_free);
	snprintf(r->tenant.id, sizeof(r->tenant.id), "%.*s", SLICE_ARG(id));
	return r;
}

void
record_fill(struct tenant_record *r, const struct plans *plans, const struct tenant *t,
    const char *settings)
{
	const struct plan *plan = plan_of_name(plans, t->plan, t->id);

	r->tenant = *t;
	r->settings = settings[0] == '\0' ? NULL : xstrdup(settings);
	r->own = plan_resolve(plan, slice_str(settings), t->id);
	r->tenant.limits = r->own != NULL ? r->own : plan;
	r->generation = plans->generation;
	r->base.is_negative = t->state != TENANT_READY;
	r->base.is_revoked = t->state == TENANT_SUSPENDED || t->state == TENANT_DELETED;
	r->filled = true;
}

const struct plan *
record_limits(const struct tenant_record *r, const struct plans *plans, struct arena *arena)
{
	const struct plan *plan, *limits;
	struct plan *own;

	if (r->generation == plans->generation)
		return plan_copy(r->tenant.limits, arena);
	plan = plan_of_name(plans, r->tenant.plan, r->tenant.id);
	own = plan_resolve(plan, slice_str(r->settings == NULL ? "" : r->settings), r->tenant.id);
	limits = plan_copy(own != NULL ? own : plan, arena);
	free(own);
	return limits;
}

const char *
provider_name(enum tenant_provider provider)
{
	static const char *const names[] = { [PROVIDER_NEON] = "neon",
		[PROVIDER_POSTGRES] = "postgres",
		[PROVIDER_URL] = "url" };

	return names[provider];
}

bool
provider_parse(const char *name, enum tenant_provider *out)
{
	for (*out = PROVIDER_NEON; *out <= PROVIDER_URL; (*out)++)
		if (strcmp(name, provider_name(*out)) == 0)
			return true;
	return false;
}

void
record_redis_key(char out[RECORD_KEY_SIZE], const char *environment, const char *id,
    bool is_cluster)
{
	size_t tag = is_cluster ? strnlen(environment, REDIS_TAG_MAX) : 0;

	snprintf(out, RECORD_KEY_SIZE, "tg:tenant:%s%.*s%s%s:%s", is_cluster ? "{" : "", (int)tag,
	    environment, is_cluster ? "}" : "", environment + tag,
	    mutated(MUTATION_RECORD_KEY, id));
}

static void
record_put_field(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, ",\"%s\":", name);
	json_put_string(b, slice_str(value));
}

/* "v" is the format's version: replicas of two builds share a Redis while they are rolled out,
 * and an unknown version is a miss. (1 had no settings and
 * no schema: it would be that of a tenant without.) */
static void
put_json(struct buf *b, const struct tenant *t, const char *settings)
{
	buf_printf(b, "{\"v\":2,\"port\":%u,\"rpm\":%u,\"schema\":%d,\"tokens\":%" PRIu64,
	    (unsigned)t->port, t->requests_per_minute, t->schema_version, t->token_generation);
	record_put_field(b, "id", t->id);
	record_put_field(b, "plan", t->plan);
	record_put_field(b, "host", t->host);
	record_put_field(b, "dbname", t->dbname);
	record_put_field(b, "user", t->user);
	record_put_field(b, "password", t->password);
	record_put_field(b, "sslmode", t->sslmode);
	record_put_field(b, "binding", t->channel_binding);
	record_put_field(b, "provider", provider_name(t->provider));
	record_put_field(b, "settings", settings);
	buf_putc(b, '}');
}

bool
record_close(const struct seal *seal, const struct tenant *t, const char *settings, const char *key,
    struct buf *out)
{
	struct buf plain;
	bool fine;

	assert(t->state == TENANT_READY);
	buf_init(&plain, RECORD_TEXT_MAX);
	put_json(&plain, t, settings != NULL ? settings : "");
	fine = !plain.failed &&
	    seal_encrypt(seal, buf_view(&plain), slice_str(mutated(MUTATION_RECORD_SEAL, key)),
		out);
	buf_wipe(&plain);
	return fine;
}

static bool
get_field(const json_t *o, const char *name, char *out, size_t size, struct err *err)
{
	struct slice v = { NULL, 0 };

	if (!json_get_string(o, name, &v, err) || v.len >= size)
		return false;
	memcpy(out, v.p, v.len);
	out[v.len] = '\0';
	return true;
}

/* Only READY tenants are written, so that is what comes back. One of a build that knows no tokens
 * is a miss: what it leaves out, the catalog says. On false *t is not to be used. */
static bool
get_json(const json_t *o, const char *id, struct tenant *t, char settings[PLAN_SETTINGS_MAX + 1])
{
	struct err err = { 0 };
	int64_t version = 0, port = 0, rpm = 0, schema = 0, tokens = 0;
	char provider[16];

	memset(t, 0, sizeof(*t));
	if (!json_opt_int(o, "v", 2, 2, &version, &err) || version != 2 ||
	    !json_opt_int(o, "port", 1, 65535, &port, &err) || port == 0 ||
	    !json_opt_int(o, "rpm", 0, UINT32_MAX, &rpm, &err) ||
	    !json_opt_int(o, "schema", 0, INT32_MAX, &schema, &err) ||
	    !json_opt_int(o, "tokens", 1, INT64_MAX, &tokens, &err) || tokens == 0)
		return false;
	t->state = TENANT_READY;
	t->port = (uint16_t)port;
	t->requests_per_minute = (unsigned)rpm;
	t->schema_version = (int)schema;
	t->token_generation = (uint64_t)tokens;
	return get_field(o, "id", t->id, sizeof(t->id), &err) && strcmp(t->id, id) == 0 &&
	    get_field(o, "plan", t->plan, sizeof(t->plan), &err) &&
	    get_field(o, "host", t->host, sizeof(t->host), &err) &&
	    get_field(o, "dbname", t->dbname, sizeof(t->dbname), &err) &&
	    get_field(o, "user", t->user, sizeof(t->user), &err) &&
	    get_field(o, "password", t->password, sizeof(t->password), &err) &&
	    get_field(o, "sslmode", t->sslmode, sizeof(t->sslmode), &err) &&
	    (json_object_get(o, "binding") == NULL || /* before it was there */
		get_field(o, "binding", t->channel_binding, sizeof(t->channel_binding), &err)) &&
	    get_field(o, "settings", settings, PLAN_SETTINGS_MAX + 1, &err) &&
	    get_field(o, "provider", provider, sizeof(provider), &err) &&
	    provider_parse(provider, &t->provider);
}

bool
record_open(const struct seal *seal, const char *id, const char *key, struct slice sealed,
    struct tenant *out, char settings[PLAN_SETTINGS_MAX + 1])
{
	struct err err = { 0 };
	struct buf plain;
	json_t *o = NULL;
	bool fine = false;

	/* Longer than any of ours: not worth decrypting. */
	if (sealed.len > 2 * RECORD_TEXT_MAX)
		return false;
	buf_init(&plain, RECORD_TEXT_MAX);
	if (seal_decrypt(seal, sealed, slice_str(mutated(MUTATION_RECORD_SEAL, key)), &plain))
		o = json_read_object(buf_view(&plain), &err);
	if (o != NULL)
		fine = get_json(o, id, out, settings);
	json_decref(o);
	buf_wipe(&plain);
	return fine;
}
