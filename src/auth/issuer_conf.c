/* SPDX-License-Identifier: MIT */
/*
 * issuer_conf: what the settings of an issuer must fulfil. Each error names the setting that is to
 * be changed.
 */
#include <arpa/inet.h>

#include "auth/issuer_set.h"
#include "tenantgate/wire/url.h"

#define CLAIM_MAX 200 /* bytes of a claim's name */

static bool
refuse_key(const char **key, const char *name)
{
	*key = name;
	return false;
}

/* A machine's own addresses, where nobody is in between. */
static bool
is_loopback(const char *host)
{
	struct in_addr four;
	struct in6_addr six;

	if (strcmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* Whoever can change the keys on their way lets in whom he likes. */
static bool
url_is_good(const struct issuer_conf *c, const char **key, struct err *err)
{
	struct url_parts url;
	bool is_far = false, is_good = url_read(slice_str(c->jwks_url), &url, err);

	if (is_good)
		is_far = strcmp(url.scheme, "https") != 0 && !is_loopback(url.host);
	url_free(&url);
	if (is_good && is_far && !c->allows_http)
		err_set(err, ERR_INVALID_FIELD,
		    "Over http anybody on the way could put his own keys there; write https, or "
		    "jwks_allow_http = on.");
	return !err_is(err) || refuse_key(key, "jwks_url");
}

static bool
source_is_good(const struct issuer_conf *c, const char **key, struct err *err)
{
	bool has_url = *c->jwks_url != '\0', has_secret = *c->secret != '\0';

	if (has_url == has_secret) {
		err_set(err, ERR_INVALID_FIELD,
		    "Either jwks_url or secret must be set, and one of them only.");
		return refuse_key(key, "jwks_url");
	}
	return !has_url || url_is_good(c, key, err);
}

/* HS256 on a public key would let in whoever has read it; so secrets and public keys share no
 * algorithm, and a secret is as long as the longest digest asks for (RFC 7518 3.2). */
static bool
algorithms_are_good(const struct issuer_conf *c, const char **key, struct err *err)
{
	bool has_secret = *c->secret != '\0';
	const char *text = c->algorithms;
	struct jwa_list list;

	if (*text == '\0')
		text = has_secret ? ISSUER_SECRET_ALGORITHMS : ISSUER_ALGORITHMS;
	if (!jwa_list_read(&list, text, err))
		return refuse_key(key, "algorithms");
	for (unsigned i = 0; i < list.count; i++) {
		if ((list.items[i]->family == JWA_HMAC) != has_secret) {
			err_set(err, ERR_INVALID_FIELD,
			    "%s does not go with %s; HS256 and its like are of a shared secret, "
			    "all others of public keys.",
			    list.items[i]->name, has_secret ? "secret" : "jwks_url");
			return refuse_key(key, "algorithms");
		}
		if (has_secret && strlen(c->secret) < list.items[i]->digest_bytes) {
			err_set(err, ERR_INVALID_FIELD,
			    "It must be %u bytes or more for %s; take a longer one.",
			    list.items[i]->digest_bytes, list.items[i]->name);
			return refuse_key(key, "secret");
		}
	}
	return true;
}

static bool
claim_is_good(const char *name, bool may_be_empty)
{
	size_t n = strlen(name);

	return n <= CLAIM_MAX && (n > 0 || may_be_empty) && strcmp(name, "/") != 0;
}

static bool
claims_are_good(const struct issuer_conf *c, const char **key, struct err *err)
{
	const struct {
		const char *key, *name;
		bool may_be_empty;
	} claims[] = {
		{ "tenant_claim", c->tenant_claim, false },
		{ "user_claim", c->user_claim, false },
		{ "name_claim", c->name_claim, true },
		{ "email_claim", c->email_claim, true },
		{ "avatar_claim", c->avatar_claim, true },
	};

	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
		if (!claim_is_good(claims[i].name, claims[i].may_be_empty)) {
			err_set(err, ERR_INVALID_FIELD,
			    "Write a claim's name, or a JSON pointer such as /user_metadata/name, "
			    "of 1 to %d bytes.",
			    CLAIM_MAX);
			return refuse_key(key, claims[i].key);
		}
	return true;
}

static bool
prefix_is_good(const char *prefix)
{
	return *prefix == '\0' ||
	    (strlen(prefix) <= TENANT_PREFIX_MAX && auth_tenant_valid(slice_str(prefix)));
}

static bool
names_are_good(const struct issuer_conf *c, const char **key, struct err *err)
{
	unsigned scopes;
	bool has_own_only;

	if (!prefix_is_good(c->tenant_prefix) || !prefix_is_good(c->user_prefix)) {
		err_set(err, ERR_INVALID_FIELD, "A prefix is at most %d bytes of [A-Za-z0-9._:@-].",
		    TENANT_PREFIX_MAX);
		return refuse_key(key,
		    prefix_is_good(c->tenant_prefix) ? "user_prefix" : "tenant_prefix");
	}
	if (*c->audience == '\0' && *c->authorized_parties == '\0') {
		err_set(err, ERR_INVALID_FIELD,
		    "Say for whom its tokens are: set audience, or authorized_parties where they "
		    "have no aud. Else tokens for other applications would be taken.");
		return refuse_key(key, "audience");
	}
	return issuer_scopes_read(c->scopes, &scopes, &has_own_only, err) ||
	    refuse_key(key, "scopes");
}

static bool
is_prefix_of(const char *a, const char *b)
{
	return strncmp(a, b, strlen(a)) == 0;
}

/* Two may name the same tenant when one's prefix begins the other's: then its tenant's id may be
 * the rest of it and the other's. */
static bool
is_apart(const struct issuer_conf *a, const struct issuer_conf *b, const char **key,
    struct err *err)
{
	if (strcmp(a->issuer, b->issuer) == 0) {
		err_set(err, ERR_INVALID_FIELD,
		    "Section [issuer %s] has it too, so no token could be told; write one section.",
		    b->name);
		return refuse_key(key, "issuer");
	}
	if ((a->shares_tenants && b->shares_tenants) ||
	    (!is_prefix_of(a->tenant_prefix, b->tenant_prefix) &&
		!is_prefix_of(b->tenant_prefix, a->tenant_prefix)))
		return true;
	err_set(err, ERR_INVALID_FIELD,
	    "Tokens of this issuer could name a tenant of [issuer %s]; give each a tenant_prefix "
	    "with which the other's does not begin, or set shared_tenants = on in both.",
	    b->name);
	return refuse_key(key, "tenant_prefix");
}

bool
issuer_conf_valid(const struct issuer_conf *all, unsigned which, const char **key, struct err *err)
{
	const struct issuer_conf *c = &all[which];

	if (!source_is_good(c, key, err) || !algorithms_are_good(c, key, err) ||
	    !claims_are_good(c, key, err) || !names_are_good(c, key, err))
		return false;
	if (c->jwks_stale_us < c->jwks_refresh_us) {
		err_set(err, ERR_INVALID_FIELD, "It must be jwks_refresh or longer.");
		return refuse_key(key, "jwks_stale_ttl");
	}
	for (unsigned i = 0; i < which; i++)
		if (!is_apart(c, &all[i], key, err))
			return false;
	return true;
}
