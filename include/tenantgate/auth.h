/* SPDX-License-Identifier: MIT */
/*
 * auth: who sent a request. API keys `tg_<key id>_<secret><tag>`; the catalog stores a SHA-256 of
 * the secret. Unknown key, wrong secret, revoked key, no credential: the same 401, so that key ids
 * cannot be found out.
 *
 * The tag is a truncated HMAC-SHA-256 of what is before it, under a secret that is the
 * installation's own, so only the installation can make one: a key that somebody has invented is
 * refused without a lookup, however well he knows this source. It is no part of the proof of who
 * asks: the hash in the catalog is. The tag secret is made by the catalog's migration, lies there
 * in the clear (it opens nothing; who has it can cost us lookups again) and has nothing to do with
 * seal_keys, so changing those kills no key. It goes where the table api_keys goes.
 *
 * Keys of the first releases have no tag and go on working. What has none, and everything as long
 * as the tag secret has not been read, is unverified: it is looked up in a lane of its own
 * (catalog.h), in which networks take turns, so that a flood of inventions delays neither tagged
 * keys nor honest old ones from elsewhere.
 *
 * A key may have scopes (key_scope.h), which its holder is told of, and a time at which it is over,
 * to which a cached record is held too. When it was used last is written behind, in batches.
 *
 * A struct auth belongs to a worker and its thread; identical lookups there share one flow. The
 * records, found and not found, are kept for a short while in a store that all workers share. While
 * the catalog cannot be reached, a record that was found stays in use for longer (cache_stale_us);
 * one that any worker has seen revoked never does.
 */
#ifndef TENANTGATE_AUTH_H
#define TENANTGATE_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/auth/key_scope.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/catalog.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/lookup.h"
#include "tenantgate/wire/redis.h"

enum caller_kind {
	CALLER_NONE,	/* no valid key came with the request */
	CALLER_TENANT,	/* one tenant's key: for that tenant only */
	CALLER_SERVICE,	/* a web application's: names the tenant of each request */
	CALLER_ADMIN,	/* an operator's: for no tenant */
	CALLER_TOKEN,	/* a user's token, not a key: for its one tenant only */
};

#define USER_ID_MAX	TENANT_ID_MAX	/* bytes, of the same characters */

/* "tenant", "service", "admin": as the catalog has them, the kinds of keys. False for any other
 * name. */
const char	*caller_kind_name(enum caller_kind);
bool		 caller_kind_parse(const char *, enum caller_kind *);

struct caller {
	enum caller_kind	kind;
	char			key_id[KEY_ID_LEN + 1];		/* no secret; "": a token */
	char			tenant[TENANT_ID_MAX + 1];	/* "": it is not confined to one */
	char			user[USER_ID_MAX + 1];		/* "": it is not confined to one */
	unsigned		scopes;		/* bits of key_scope.h */
	bool			has_own_only;	/* of documents, those alone that are the user's */
	/* With CALLER_NONE: what is wrong with a credential whose form is right, for operators
	 * alone (static); NULL: nothing that they need be told. */
	const char		*cause;
};

/* What the tags of this installation's keys are made with: one per process, for all its workers;
 * it outlives them. Empty until key_tags_load() is done. */
struct key_tags;
struct key_tags	*key_tags_new(void);
void		 key_tags_free(struct key_tags *);
/* Once a process, when the catalog's schema is current. Tries again until it succeeds, or until
 * the flow's deadline. */
enum flow_rc	 key_tags_load(struct flow *, struct key_tags *, struct catalog *)
		    __attribute__((warn_unused_result));

struct auth;

struct auth_conf {
	uint64_t	cache_ttl_us;		/* a revoked key works at most this long */
	uint64_t	cache_negative_ttl_us;	/* a new key is refused at most this long */
	uint64_t	cache_stale_us;		/* longer, while the catalog is away; 0: not */
	unsigned	cache_max;		/* of the store; see auth_open() */
	uint64_t	last_used_us;	/* last uses are written once in that time; 0: never */
};
void		 auth_conf_init(struct auth_conf *);

/* conf is copied, the others are borrowed. keys: lookup_store_new(conf.cache_max), one per process
 * for all its workers. redis may be NULL: nothing is heard of other replicas. Flows that wait on it
 * have ended before auth_close(), which comes before redis_close(). */
struct auth	*auth_open(struct worker *, struct catalog *, const struct key_tags *,
		    struct lookup_store *keys, struct redis *, const struct auth_conf *);
void		 auth_close(struct auth *);
/* Other times, for what is looked up from now on; cache_max stays. */
void		 auth_configure(struct auth *, const struct auth_conf *);

/* `authorization`: the field's value, p NULL when absent. network: where the request came from, 1
 * to AUTH_NETWORK_MAX bytes; unverified keys are looked up in turns of networks. Both and *out must
 * live until the wait is over. That no valid key was sent is a verdict (CALLER_NONE), not a
 * failure: it is the handler's to refuse. Fails with ERR_CATALOG when the key cannot be looked up,
 * ERR_OVERLOADED when too many are or there is no memory. */
#define AUTH_NETWORK_MAX 16
enum flow_rc	 auth_check(struct flow *, struct auth *, struct slice authorization,
		    struct slice network, struct caller *) __attribute__((warn_unused_result));

/*
 * The tenant this request is for: the caller's own, or the one a service key names (`requested`:
 * the X-Tenant-Id field, p NULL when absent). ERR_INVALID_TENANT when it is not an id or a service
 * key names none; ERR_FORBIDDEN when a tenant's key or token names another, and
 * for an admin key. Pure.
 */
bool		 auth_tenant(const struct caller *, struct slice requested,
		    char out[TENANT_ID_MAX + 1], struct err *);
/* The user it is for, "" for none: a token's own, or the one a key's holder names (`named`: the
 * X-User-Id field, p NULL when absent). ERR_INVALID_FIELD when it is no id, for what is stored or
 * counted with it would be nobody's; ERR_FORBIDDEN beside a token of another. Pure. */
bool		 auth_user(const struct caller *, struct slice named,
		    char out[USER_ID_MAX + 1], struct err *);
/* 1 to TENANT_ID_MAX bytes of [A-Za-z0-9._:@-]. */
bool		 auth_tenant_valid(struct slice);

/*
 * The key was revoked: its record is dropped here at once, and by all other replicas as soon as
 * they hear of it. What is under way with it goes on to its end. auth_told() then waits until Redis
 * has what was told: *told is REDIS_OK when it has, and the caller's to redis_clear(). With any
 * other status, and without Redis, other replicas go by the key until their record's time is over.
 */
void		 auth_forget(struct auth *, const char *key_id);
enum flow_rc	 auth_told(struct flow *, struct auth *, struct redis_reply *told)
		    __attribute__((warn_unused_result));
uint64_t	 auth_cache_ttl_us(const struct auth *);	/* of such a record */

#endif
