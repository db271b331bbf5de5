/* SPDX-License-Identifier: MIT */
/*
 * issuer: identity providers whose tokens (JWT, RFC 7519) let their users in. Each has its own
 * audience, keys, claims and namespace of tenants; a token is matched by its `iss`, byte for byte.
 * What a token must fulfil is in src/auth/jwt_claims.h and jwk.h, by RFC 8725bis.
 *
 * A struct issuers is one configuration's set: it does not change, but for the keys that are
 * fetched, and all workers share it. Times are microseconds.
 */
#ifndef TENANTGATE_AUTH_ISSUER_H
#define TENANTGATE_AUTH_ISSUER_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/auth.h"
#include "tenantgate/wire/web.h"

#define ISSUERS_MAX	    16
#define ISSUER_NAME_MAX	    32	/* bytes of a section's name */
#define TENANT_PREFIX_MAX   64
/* Where algorithms is "": one for each type of public key; with a secret. */
#define ISSUER_ALGORITHMS	 "RS256 ES256 EdDSA Ed25519"
#define ISSUER_SECRET_ALGORITHMS "HS256"

/* Texts are borrowed; "" where one is not set. */
struct issuer_conf {
	const char	*name;			/* of the section */
	const char	*issuer;		/* `iss` */
	const char	*audience;		/* names, by blanks or commas: one is in `aud` */
	const char	*authorized_parties;	/* the same of `azp` */
	const char	*jwks_url;		/* its keys; or */
	const char	*secret;		/* a shared one; never logged */
	const char	*algorithms;
	const char	*token_type;		/* `typ`; "": JWT, at+jwt or none */
	const char	*tenant_claim;		/* a name, or a JSON pointer that begins with '/' */
	const char	*user_claim;
	const char	*name_claim, *email_claim, *avatar_claim;
	const char	*tenant_prefix, *user_prefix;
	bool		 shares_tenants;	/* another issuer may name the same */
	bool		 allows_http;		/* of jwks_url, to another machine */
	const char	*scopes;		/* of key_scope.h, by commas; and maybe own */
	uint64_t	 leeway_us;		/* of clocks, either way */
	uint64_t	 jwks_refresh_us;	/* keys are fetched anew after that */
	uint64_t	 jwks_cooldown_us;	/* the least time between two fetches */
	uint64_t	 jwks_stale_us;		/* in use so long while none succeeds */
	uint64_t	 jwks_timeout_us;	/* of one fetch */
	unsigned	 provisions_per_minute;	/* databases begun by its tokens; 0: no limit */
};

/* Of all[which]. False with err set, and *key the setting that is wrong. None of those before it
 * may have its issuer or, unless both say so, its tenants. */
bool	issuer_conf_valid(const struct issuer_conf *all, unsigned which, const char **key,
	    struct err *);

struct issuers;
/* Copies what it needs. before: the set that this one follows, or NULL: keys of what is the same in
 * both are kept. Valid settings only. With one reference. Any thread. */
struct issuers	*issuers_new(const struct issuer_conf *, unsigned count,
		    const struct issuers *before);
void		 issuers_give(struct issuers *);	/* NULL is fine */

/* One worker's checks of tokens, on its thread. web: borrowed, of the same worker. It outlives the
 * auth that uses it; issuer_auth_close() (NULL is fine) when the worker's flows have ended. */
struct issuer_auth;
struct issuer_auth	*issuer_auth_open(struct worker *, struct web *);
void			 issuer_auth_close(struct issuer_auth *);
/* From now on tokens are these issuers'; it holds a reference of its own. Keys that are being
 * fetched go on. */
void			 issuer_auth_set(struct issuer_auth *, struct issuers *);
/* Without one, no token of an issuer is good. */
void			 auth_use_issuers(struct auth *, struct issuer_auth *);

/* What the token of an issuer said of its sender. Of the flow's arena. */
struct caller_profile {
	const char	*issuer;		/* the section's name */
	unsigned	 provisions_per_minute;	/* of that issuer; 0: no limit */
	bool		 tenant_is_user;	/* so the next three are the tenant's */
	const char	*name, *email, *avatar_url;	/* as they came: UTF-8; or NULL */
};

#endif
