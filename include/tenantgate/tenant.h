/* SPDX-License-Identifier: MIT */
/*
 * tenant: whose database. A record is found by the workers' cache -> Redis (sealed) -> catalog, and
 * the database is made (provisioned) on first contact, exactly once whatever fails.
 *
 *	tenant row:  (none) --> [provisioning] --> [ready] <--> [suspended]
 *	                             |   ^
 *	                             v   | next contact goes on from what the row holds
 *	                          [failed]
 *
 * From each of them to [deleted], which no request leads away from (tenant/ends.h).
 *
 * The row is the intent: written before the provider is asked, taken over by one attempt at a time
 * (attempt id + lease in the row), so workers and replicas cannot provision twice. The provider's
 * name for the database is derived from the tenant id, looked up before it is created, and adopted
 * when it is already there and says that it is this tenant's. src/tenant/provision.c has the table
 * of what a kill leaves behind.
 *
 * A struct tenants belongs to a worker, and is used on its thread only. struct tenant is a value:
 * copied out, no ownership; it holds a password, so whoever has a copy wipes it.
 */
#ifndef TENANTGATE_TENANT_H
#define TENANTGATE_TENANT_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/id.h"
#include "tenantgate/base/seal.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/catalog.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/plan.h"
#include "tenantgate/pool.h"
#include "tenantgate/replica.h"
#include "tenantgate/wire/dns.h"
#include "tenantgate/wire/redis.h"
#include "tenantgate/wire/web.h"

enum tenant_state {
	TENANT_UNKNOWN,		/* no row in the catalog */
	TENANT_PROVISIONING,	/* an attempt has the row, or was killed */
	TENANT_FAILED,		/* an attempt failed; the next contact tries again */
	TENANT_READY,		/* schema applied; the fields below are valid */
	TENANT_SUSPENDED,	/* by the operator: ERR_SUSPENDED for every request */
	TENANT_DELETED,		/* a tombstone, or about to be one: ERR_DELETED for every request */
};

/* URL: nobody, for it was there: an operator has given its address by the admin door. */
enum tenant_provider { PROVIDER_NEON, PROVIDER_POSTGRES, PROVIDER_URL };

#define TENANT_PASSWORD_MAX	128	/* bytes of a database password, ours or Neon's */

struct tenant {
	char			id[TENANT_ID_MAX + 1];
	enum tenant_state	state;
	enum tenant_provider	provider;		/* who made its database */
	char			plan[PLAN_NAME_MAX + 1]; /* "" : default */
	unsigned		requests_per_minute;	/* 0: the plan's, or the default */
	/* What holds for it, resolved: of a lookup, in its flow's arena, and NULL where that flow
	 * has none; NULL before. */
	const struct plan	*limits;
	/* That its users' tokens must have: another since they were last revoked, and of another
	 * tenant of that id before. Later ones are greater. 0: there is no row. */
	uint64_t		token_generation;
	/* valid when READY */
	char			host[DNS_NAME_MAX + 1];
	uint16_t		port;
	char			dbname[PG_NAME_MAX + 1];
	char			user[PG_NAME_MAX + 1];
	char			password[TENANT_PASSWORD_MAX + 1]; /* unsealed; never logged */
	/* Of its database, as the row has it: what a statement may use. 0: not known. */
	int			schema_version;
	/* The configuration's, not the row's: as of the lookup. With PROVIDER_URL the URL's own,
	 * for what is in the guard's networks. */
	char			sslmode[PG_SSLMODE_MAX + 1];
	/* pg_target's, borrowed as ca_file: NULL with PROVIDER_POSTGRES. */
	const struct network_list *guard;
	const char		*sslmode_outside;
	char			channel_binding[8];	/* "require" ...; "": where it is offered */
	const char		*ca_file;	/* borrowed: outlives the tenants; NULL: none */
};

/* How a pool knows the tenant's database: the key is "tenant:<id>", in the caller's array; the
 * target borrows from both. */
#define TENANT_KEY_SIZE	(sizeof("tenant:") + TENANT_ID_MAX)
void	tenant_target(const struct tenant *, struct pool_target *, char key[TENANT_KEY_SIZE]);

/* One statement, harmless when repeated, which leaves what is there as it is (adds a column with no
 * default, a table): earlier builds go on working beside it. */
struct tenant_schema_step {
	int			 version;	/* of the schema that it is part of */
	const char		*index;		/* "schema.name": sql is CREATE INDEX CONCURRENTLY
						 * of it, which is made anew where one was left
						 * invalid; NULL: any other statement */
	const char		*sql;
};

struct tenants_conf;
/* Other keys in Redis that are a tenant's, which go when it is deleted: the i-th into out; false
 * past the last. */
#define TENANT_REDIS_KEY_SIZE 320
typedef bool	tenant_redis_key_fn(const struct tenants_conf *, const char *id, unsigned i,
		    bool is_cluster, char out[TENANT_REDIS_KEY_SIZE]);

struct tenants_conf {
	enum tenant_provider	 provider;
	bool			 lazy;			/* provision on first contact */
	const char		*environment;		/* <= 100 bytes: in projects' names */
	uint64_t		 provision_wait_us;	/* a request waits this long, then 503 */
	uint64_t		 provision_deadline_us;	/* one attempt in all (provision_timeout) */
	uint64_t		 lease_us;	/* a dead attempt is taken over after that */
	uint64_t		 cache_ttl_us;		/* a READY record in memory */
	uint64_t		 cache_stale_us;	/* more, while the catalog is away */
	unsigned		 cache_max;		/* records; see tenants_shared_new() */
	uint64_t		 redis_ttl_us;		/* a READY record in Redis */
	struct plans		 plans;			/* outlives the tenants */
	/* Where databases may be whose URLs come by the admin door: the text, and what is read of
	 * it by whoever fills this. */
	const char		*allowed_networks;	/* NULL: none */
	struct network_list	 allowed;
	struct network_list	 neon_allowed;	/* tenants_conf_networks() */
	/* neon */
	const char		*neon_api_url;		/* "https://console.neon.tech/api/v2" */
	const char		*neon_api_key;		/* never logged */
	const char		*neon_org_id;		/* may be NULL */
	const char		*neon_region;
	unsigned		 neon_pg_version;
	const char		*neon_sslmode;		/* tenants' connections: "verify-full" */
	const char		*tenant_ca_file;	/* of their servers; NULL: the system's */
	uint64_t		 neon_timeout_us;	/* one call of the API */
	unsigned		 neon_requests_per_second; /* of an account, over all replicas */
	unsigned		 neon_burst;		/* as many calls at once after a pause */
	uint64_t		 neon_address_retry_us;	/* tenant_login_refused() */
	/* postgres: an administrator's URL on a cluster of your own */
	const char		*postgres_admin_url;
	tenant_redis_key_fn	*redis_key;	/* NULL: Redis holds no more than records */
	/* the tenant schema: statements, NULL-ended, each harmless when repeated */
	const char *const	*schema;
	int			 schema_version;
	/* how databases of earlier versions become as that, in order of version */
	const struct tenant_schema_step *schema_steps;
	size_t			 schema_step_count;
};
/* The defaults; what has none (key, URL, schema) is NULL. */
void	tenants_conf_init(struct tenants_conf *);
/* Fills allowed and neon_allowed: the latter, where databases may be that Neon's API names, has
 * this machine's own addresses too where neon_api_url is on it, for a stand-in's databases are.
 * False with err set. */
bool	tenants_conf_networks(struct tenants_conf *, struct err *);

/*
 * What the workers of a process share: the records of tenants; of the provider's limits Neon's
 * rate, the queue of creations and what the last ones took; each where there is no Redis, or it is
 * away, and the process's own. One per process, made before the first worker and freed after the
 * last.
 */
struct tenants_shared;
/* replicas (borrowed; NULL: this is the only one): how many share the rate while Redis is away.
 * records_max: conf.cache_max. */
struct tenants_shared *tenants_shared_new(const struct replicas *, unsigned records_max);
void	tenants_shared_free(struct tenants_shared *);

struct tenants;

/* All that is passed outlives it, conf's strings too; redis may be NULL (no cache shared, nothing
 * heard of other workers). NULL with err set when the configuration is not good. tenants_close()
 * once the worker's flows have ended, before redis_close(). */
struct tenants	*tenants_open(struct worker *, struct catalog *, struct redis *, struct web *,
		    struct dns *, struct pools *, const struct seal *, struct tenants_shared *,
		    const struct tenants_conf *, struct err *);
void		 tenants_close(struct tenants *);
/* Other times, plans and limits, from the next request on: of lazy, provision_wait_us,
 * provision_deadline_us, the times of the caches, neon_address_retry_us and plans; the rest stays.
 * The plans before may then go: what a request was told of its limits is in its own arena. */
void		 tenants_configure(struct tenants *, const struct tenants_conf *);

/* The record; state TENANT_UNKNOWN when never seen (that is no failure). id is copied. Fails with
 * ERR_CATALOG, ERR_SUSPENDED, ERR_INVALID_TENANT (0 or more than 128 bytes), ERR_OVERLOADED. The
 * flow has an arena: limits of the tenant's own are copied into it. */
enum flow_rc	 tenant_lookup(struct flow *, struct tenants *, const char *id, struct tenant *)
		    __attribute__((warn_unused_result));
/*
 * Straight on when t is READY; else provisions, or joins the attempt that is under way anywhere,
 * for up to provision_wait; fills t. Fails with ERR_PROVISIONING (503, retry_after; the work goes
 * on without this request), ERR_NOT_FOUND (provisioning is explicit), ERR_NEON, ERR_DATABASE,
 * ERR_CATALOG, ERR_SUSPENDED. After any failure a later contact goes on from what the row holds.
 */
enum flow_rc	 tenant_provision(struct flow *, struct tenants *, struct tenant *)
		    __attribute__((warn_unused_result));
/* The same, but that it is asked for: also where provisioning is explicit, and nobody waits. False
 * with err set when too many are being made or wait for that: ERR_PROVISIONING (retry_after). */
bool		 tenant_begin(struct tenants *, const char *id, struct err *);
/* Whether tenant_provision() of a tenant that nobody knows would begin its database: none is made
 * where that is for operators, and one that this worker has begun is not begun again. */
bool		 tenant_would_begin(const struct tenants *, const char *id);
/* The record changed: the workers' copy, Redis' and those of all other replicas are dropped, and
 * pooled connections with them. The catalog is read again at the next lookup. */
void		 tenant_forget(struct tenants *, const char *id);
/* Its database does not answer where the record says, so that may have changed: the same, but the
 * record stays in use if the catalog cannot be reached, for then nobody knows a better one. */
void		 tenant_doubt(struct tenants *, const char *id);

/* ---- its users' tokens ---- */
/* Those that were made until now are refused from now on: here at once after tenant_forget(). Wakes
 * plainly, for catalog_check(); no row is changed where there is no such tenant, or it is deleted.
 * id: borrowed until the wait is over. */
enum flow_rc	 tenant_tokens_revoke(struct flow *, struct tenants *, const char *id,
		    struct pg_result *out) __attribute__((warn_unused_result));
/* The record is older than something that was made since: the next lookup asks the catalog. Nobody
 * else is told. */
void		 tenant_look_anew(struct tenants *, const char *id);

/* ---- what an application says of its tenants ---- */
enum tenant_field { TENANT_NAME, TENANT_EMAIL, TENANT_AVATAR_URL, TENANT_PLAN, TENANT_REGION,
	TENANT_FIELDS };

/* What is not set stays; what is set to NULL is cleared (a region: the configured one). */
struct tenant_change {
	const char	*text[TENANT_FIELDS];
	bool		 is_set[TENANT_FIELDS];
};

/* Texts are borrowed from the result it was read of; each may be NULL but for the last four. */
struct tenant_profile {
	const char	*name, *email, *avatar_url;
	const char	*region;	/* where its database is, or will be */
	const char	*plan;		/* "": default */
	const char	*state;		/* "provisioning", "failed", "ready" or "suspended" */
	const char	*created_at;	/* RFC 3339 */
	char		 reason[256];	/* of a failed one: a sentence; else "" */
	bool		 is_left;	/* nobody is making its database, though it is to be made */
	bool		 is_plan_new;	/* of tenant_save(): it was another before */
};

/* Both wake plainly; *out is for catalog_check() and tenant_profile_read(), and the caller's to
 * pg_clear(). Borrow all until the wait is over. tenant_save() writes the tenant's row, with which
 * its database is to be made when it is not yet; it gives no row, and has changed nothing, when
 * another region was asked for than the one in which the database is, or is being made. The other
 * gives none where there is no such tenant. May be repeated. */
enum flow_rc	 tenant_save(struct flow *, struct tenants *, const char *id,
		    const struct tenant_change *, struct pg_result *out)
		    __attribute__((warn_unused_result));
enum flow_rc	 tenant_describe(struct flow *, struct tenants *, const char *id,
		    struct pg_result *out) __attribute__((warn_unused_result));
/* Whether there is a section of that name; where there are none at all, any name will do. */
bool		 tenant_plan_is_known(const struct tenants *, const char *name);
/* False when there is no row. */
bool		 tenant_profile_read(const struct pg_result *, struct tenant_profile *);
/* After tenant_save(): the other workers and replicas hear of what they have to look up anew.
 * cached: as tenant_lookup() gave it before. */
void		 tenant_saved(struct tenants *, const struct tenant *cached,
		    const struct tenant_profile *now);

/*
 * Once after tenant_doubt(): the database refused the login of this record for a reason that
 * waiting does not mend (pool.h, login_refused). With provider neon the address and password are
 * asked of Neon again, at most once in neon_address_retry over all replicas, and more seldom when
 * that is of no use; what is new is saved and heard of everywhere. Copied; nobody waits for it.
 */
void		 tenant_login_refused(struct tenants *, const struct tenant *);
/* True, with err set to the reason (ERR_DATABASE with retry_after), while that is under way and for
 * neon_address_retry after it was of no use: no login with this record is worth a try. Costs
 * nothing while there is no such tenant. */
bool		 tenant_is_locked_out(struct tenants *, const struct tenant *, struct err *);

/*
 * Brings the database up to the version of the configuration, if the record says that it is older:
 * behind the caller, once over all replicas, some seconds or minutes after a failure again. Until
 * then its record has the old version, and statements are to be chosen by that. Copied. */
void		 tenant_upgrade(struct tenants *, const struct tenant *);
/* A statement of the record's version has failed for a table or column that is not there. */
void		 tenant_schema_doubt(struct tenants *, const struct tenant *);

/*
 * At the start, after catalog_migrate(): the first environment that asks has the catalog for good.
 * Fails with ERR_CATALOG for any other: two would use one row for two tenants of one id. Waits
 * while the catalog cannot be reached.
 */
enum flow_rc	 tenants_claim_catalog(struct flow *, struct catalog *, const char *environment)
		    __attribute__((warn_unused_result));
/* The same for who only wants to know: a catalog that is nobody's yet stays so. */
enum flow_rc	 tenants_check_catalog(struct flow *, struct catalog *, const char *environment)
		    __attribute__((warn_unused_result));

/*
 * At the start, after catalog_migrate(): opens one password of each key that the catalog's were
 * sealed with. Fails with ERR_CATALOG when none of those keys is in the seal (a catalog without
 * passwords lets any seal in); logs those that are missing. Then seals anew, with the first key,
 * what was sealed with another, so that the others can be left out at the next start; a catalog
 * that takes no writes is let be. Waits while the catalog cannot be reached. *goes_on: whether
 * replicas that have another key first may write what is to be sealed anew still.
 */
enum flow_rc	 tenants_reseal(struct flow *, struct catalog *, const struct seal *,
		    bool *goes_on) __attribute__((warn_unused_result));
/* The same because an operator asks, some rows at a time: zeroed before the first call. count:
 * how many there are and are left; fails with ERR_CONFLICT where the first key may not be read by
 * all replicas. some: until is_done; what is under way when a process is killed is done again. Both
 * fail with ERR_CATALOG. */
struct tenants_resealing {
	uint64_t	passwords, left;	/* of count */
	uint64_t	resealed;
	uint64_t	unopened;	/* they have a key that is not ours, or were spoiled */
	uint64_t	missed;		/* of this pass: another was written meanwhile */
	unsigned	passes;		/* before this one */
	bool		is_done;
	char		last[TENANT_ID_MAX + 1]; /* after which id it goes on */
};
enum flow_rc	 tenants_reseal_count(struct flow *, struct tenants *, struct tenants_resealing *)
		    __attribute__((warn_unused_result));
enum flow_rc	 tenants_reseal_some(struct flow *, struct tenants *, struct tenants_resealing *)
		    __attribute__((warn_unused_result));
/*
 * After a tenants_reseal() that is to go on. Never ends: seals anew, every 15 s, what replicas that
 * have another key first have written since. (One whose first key not all can read may be one of
 * those, and must not turn back what the others have done.)
 */
enum flow_rc	 tenants_reseal_watch(struct flow *, struct catalog *, const struct seal *)
		    __attribute__((warn_unused_result));

#endif
