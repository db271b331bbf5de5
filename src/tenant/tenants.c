/* SPDX-License-Identifier: MIT */
/*
 * tenants: the cache of tenants, which the workers share, and how it stays in step with the other
 * replicas'.
 *
 *	tenant_forget() --> own cache, Redis key, pool  --PUBLISH-->  every other cache (and pool)
 *	tenant_doubt() ---> the same, but the caches keep the record for stale use
 *
 * The channel is replica/drop_channel's. When messages may have been missed (the link to Redis was
 * down), every record is fetched anew, and stays for the case that the catalog cannot be reached.
 * What a fetch under way will find is not kept: it may have been read before the change.
 */
#include "tenantgate/tenant.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "tenant/names.h"
#include "tenant/tenant_internal.h"
#include "tenant/tenant_use.h"
#include "tenant/tenants_shared.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/base/random.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/wire/pg_url.h"

#define ADMIN_ARENA_MAX (64 * 1024) /* the strings of postgres_admin_url */

void
tenants_conf_init(struct tenants_conf *conf)
{
	*conf = (struct tenants_conf){
		.provider = PROVIDER_NEON,
		.lazy = true,
		.environment = "prod",
		.provision_wait_us = 30 * 1000000ull,
		.provision_deadline_us = 150 * 1000000ull,
		.lease_us = 15 * 1000000ull,
		.cache_ttl_us = 60 * 1000000ull,
		.cache_stale_us = 3600 * 1000000ull,
		.cache_max = 10000,
		.redis_ttl_us = 600 * 1000000ull,
		.neon_api_url = "https://console.neon.tech/api/v2",
		.neon_region = "aws-us-east-2",
		.neon_pg_version = 18,
		.neon_sslmode = "verify-full",
		.neon_timeout_us = 30 * 1000000ull,
		.neon_requests_per_second = 10,
		.neon_burst = 30,
		.neon_address_retry_us = 30 * 1000000ull,
		.plans = { .standard = &plan_standard },
	};
}

const char *
tenants_provider_name(const struct tenants *ts)
{
	return provider_name(ts->conf->provider);
}

/* A cluster's databases are reached as its administrator is, where the configuration says. What
 * comes from outside, a URL or what Neon's API names, leads where the guard lets it; with a URL the
 * TLS is another in networks of one's own. */
void
tenant_set_tls(const struct tenants *ts, struct tenant *t)
{
	const struct pg_target *admin = &ts->admin.pg;
	bool neon = ts->conf->provider == PROVIDER_NEON;

	if (t->provider == PROVIDER_URL) {
		t->guard = ts->allowed;
		t->sslmode_outside = ts->conf->neon_sslmode;
		t->ca_file = ts->conf->tenant_ca_file;
		return;
	}
	snprintf(t->sslmode, sizeof(t->sslmode), "%s",
	    neon ? ts->conf->neon_sslmode : admin->sslmode);
	t->guard = neon ? &ts->conf->neon_allowed : NULL;
	t->sslmode_outside = ts->conf->neon_sslmode;
	t->ca_file = neon ? ts->conf->tenant_ca_file : admin->sslrootcert;
}

/* The other's names, roles and projects mean nothing here: a password would be set anew on a server
 * that is not the tenant's, or an empty project made beside its data. */
bool
tenant_provider_check(const struct tenants *ts, const struct tenant *t, struct err *err)
{
	if (t->provider == ts->conf->provider || t->provider == PROVIDER_URL)
		return true;
	err_set(err, ERR_INTERNAL,
	    "The tenant's database was made by another provider than the one that is configured. "
	    "The operator should look at the key provider, or move the tenant.");
	err_cause(err, "its row in public.tenants has provider %s, and the configuration %s",
	    provider_name(t->provider), provider_name(ts->conf->provider));
	return false;
}

static void
target_key(char key[TENANT_KEY_SIZE], const char *id)
{
	snprintf(key, TENANT_KEY_SIZE, "tenant:%s", mutated(MUTATION_POOL_KEY, id));
}

void
tenant_target(const struct tenant *t, struct pool_target *out, char key[TENANT_KEY_SIZE])
{
	target_key(key, t->id);
	*out = (struct pool_target){
		.key = slice_str(key),
		.size = t->limits != NULL ? t->limits->pool_size : 0,
		.pg = {
			.host = t->host,
			.port = t->port,
			.dbname = t->dbname,
			.user = t->user,
			.password = t->password,
			.sslmode = t->guard != NULL ? t->sslmode_outside : t->sslmode,
			.sslrootcert = t->ca_file,
			.channel_binding = text_or_null(t->channel_binding),
			.guard = t->guard,
			.sslmode_inside = t->guard != NULL ? t->sslmode : NULL,
		},
	};
}

void
tenants_forget_pool(struct tenants *ts, const char *id)
{
	char key[TENANT_KEY_SIZE];

	target_key(key, id);
	pool_forget(ts->pools, slice_str(key));
}

/* Here at once, elsewhere by message. A request that has the old record in hand goes on with it. */
void
tenant_forget(struct tenants *ts, const char *id)
{
	tenants_forget_pool(ts, id);
	tenants_unpublish(ts, id);
	drop_channel_tell(&ts->drops, slice_str(mutated(MUTATION_DROP_CHANNEL, id)), DROP_FORGET);
	tenant_uses_check_everywhere(ts, id);
	/* Last: the id may be the record's own. */
	tenant_retract(ts, id);
	lookup_forget(ts->records, slice_str(mutated(MUTATION_TENANT_FORGET, id)));
}

/* What is in Redis is of use to other replicas while the catalog is away, and only then. */
void
tenant_doubt(struct tenants *ts, const char *id)
{
	char key[TENANT_KEY_SIZE];

	target_key(key, id);
	pool_forget(ts->pools, slice_str(key));
	if (!catalog_is_failing(ts->catalog, CATALOG_TENANTS))
		tenants_unpublish(ts, id);
	drop_channel_tell(&ts->drops, slice_str(id), DROP_DOUBT);
	lookup_expire(ts->records, slice_str(id));
}

/* Of another replica, or it may be. Each of our workers hears it, and the second time costs a
 * reconnect or a fetch at the most. */
static void
tenant_drop_heard(struct slice id, enum drop drop, void *arg)
{
	struct tenants *ts = arg;
	struct tenant_record *r;
	char key[TENANT_KEY_SIZE];

	if (id.p == NULL) {
		lookup_forget_all(ts->records);
		tenant_uses_check_all(ts);
		return;
	}
	r = (struct tenant_record *)lookup_peek(ts->records, id);
	if (r != NULL && r->tenant.state == TENANT_READY) {
		target_key(key, r->tenant.id);
		pool_forget(ts->pools, slice_str(key));
	}
	if (drop == DROP_DOUBT)
		lookup_expire(ts->records, id);
	else
		lookup_forget(ts->records, id);
	if (drop == DROP_FORGET)
		tenant_uses_check(ts, id);
	if (r != NULL)
		lookup_unref(&r->base);
}

/* What the configuration's own checks leave to be wrong, for tests and stand-ins fill the struct by
 * hand. Reads postgres_admin_url into ts->admin. */
static bool
tenants_conf_check(struct tenants *ts, struct err *err)
{
	const struct tenants_conf *conf = ts->conf;

	if (conf->environment == NULL || strlen(conf->environment) > ENVIRONMENT_MAX) {
		err_set(err, ERR_INTERNAL, "The key environment takes at most %d bytes.",
		    ENVIRONMENT_MAX);
		return false;
	}
	if (conf->provider == PROVIDER_NEON &&
	    (conf->neon_api_url == NULL || conf->neon_api_key == NULL ||
		conf->neon_api_key[0] == '\0')) {
		err_set(err, ERR_INTERNAL,
		    "With provider = neon, neon_api_url and neon_api_key must be set.");
		return false;
	}
	if (conf->provider != PROVIDER_POSTGRES)
		return true;
	if (conf->postgres_admin_url == NULL) {
		err_set(err, ERR_INTERNAL,
		    "With provider = postgres, postgres_admin_url must be set.");
		return false;
	}
	if (!pg_url_read(ts->arena, conf->postgres_admin_url, PG_URL_STRICT, &ts->admin.pg, err))
		return false;
	if (ts->admin.pg.sslrootcert == NULL)
		ts->admin.pg.sslrootcert = conf->tenant_ca_file;
	return true;
}

static void
neon_key_make(char out[NEON_KEY_SIZE], const char *account, const char *what)
{
	snprintf(out, NEON_KEY_SIZE, "tg:neon:{%.16s}:%s", account, what);
}

/* Neon counts by account: the organization, or whom the key belongs to. The key itself is in no
 * name, only a part of its digest; the braces keep the keys together in a Redis Cluster. */
static void
neon_keys_make(struct tenants *ts)
{
	const struct tenants_conf *conf = ts->conf;
	const char *org = text_or_null(conf->neon_org_id), *whose = conf->neon_api_key;
	char account[SHA256_HEX_SIZE];
	struct buf b;

	buf_init(&b, 8192);
	if (org != NULL)
		whose = org;
	buf_printf(&b, "%s\n%s", conf->neon_api_url != NULL ? conf->neon_api_url : "",
	    whose != NULL ? whose : "");
	sha256_hex(buf_view(&b), account);
	buf_wipe(&b);
	buf_free(&b);
	neon_key_make(ts->neon_keys.bucket, account, "bucket");
	neon_key_make(ts->neon_keys.tickets, account, "tickets");
	neon_key_make(ts->neon_keys.waiting, account, "waiting");
	neon_key_make(ts->neon_keys.seen, account, "seen");
	neon_key_make(ts->neon_keys.slots, account, "slots");
}

struct tenants *
tenants_open(struct worker *w, struct catalog *c, struct redis *redis, struct web *web,
    struct dns *dns, struct pools *pools, const struct seal *seal, struct tenants_shared *shared,
    const struct tenants_conf *conf, struct err *err)
{
	struct tenants *ts = xcalloc(1, sizeof(*ts));

	*ts = (struct tenants){ .worker = w,
		.catalog = c,
		.redis = redis,
		.web = web,
		.dns = dns,
		.pools = pools,
		.seal = seal,
		.shared = shared,
		.allowed = &conf->allowed,
		.now = *conf };
	ts->conf = &ts->now;
	ts->arena = arena_new(ADMIN_ARENA_MAX);
	ts->records = tenants_records_open(ts);
	ts->provisions = map_new(0, NULL);
	ts->ends = map_new(0, NULL);
	ts->uses = tenant_uses_open(ts);
	shared_tenants_enter(shared, ts);
	ts->wishes = map_new(0, NULL);
	neon_keys_make(ts);
	if (!tenants_conf_check(ts, err)) {
		tenants_close(ts);
		return NULL;
	}
	if (!drop_channel_open(&ts->drops, redis, DROP_CHANNEL, shared->origin, tenant_drop_heard,
		ts)) {
		err_set(err, ERR_INTERNAL,
		    "The Redis channel %s is one too many for this build; please report it.",
		    DROP_CHANNEL);
		tenants_close(ts);
		return NULL;
	}
	return ts;
}

void
tenants_configure(struct tenants *ts, const struct tenants_conf *conf)
{
	struct tenants_conf *now = &ts->now;

	now->lazy = conf->lazy;
	now->provision_wait_us = conf->provision_wait_us;
	now->provision_deadline_us = conf->provision_deadline_us;
	now->cache_ttl_us = conf->cache_ttl_us;
	now->cache_stale_us = conf->cache_stale_us;
	now->redis_ttl_us = conf->redis_ttl_us;
	now->neon_address_retry_us = conf->neon_address_retry_us;
	now->plans = conf->plans;
	tenants_records_configure(ts);
}

/* The worker's flows have ended, so nothing is being provisioned. redis is closed after it, in the
 * same turn of the loop: no message comes between. */
void
tenants_close(struct tenants *ts)
{
	if (ts == NULL)
		return;
	assert(map_count(ts->provisions) == 0);
	shared_tenants_leave(ts->shared, ts);
	tenant_uses_close(ts->uses);
	lookup_close(ts->records);
	map_free(ts->provisions);
	map_free(ts->ends);
	map_free(ts->wishes);
	arena_free(ts->arena);
	free(ts);
}
