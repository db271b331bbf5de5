/* SPDX-License-Identifier: MIT */
/*
 * issuer_set: makes the set of issuers of a configuration.
 */
#include "auth/issuer_set.h"

#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/secret.h"

/* The texts of a struct issuer_conf, to be copied and freed. */
static const size_t conf_texts[] = {
	offsetof(struct issuer_conf, name),
	offsetof(struct issuer_conf, issuer),
	offsetof(struct issuer_conf, audience),
	offsetof(struct issuer_conf, authorized_parties),
	offsetof(struct issuer_conf, jwks_url),
	offsetof(struct issuer_conf, secret),
	offsetof(struct issuer_conf, algorithms),
	offsetof(struct issuer_conf, token_type),
	offsetof(struct issuer_conf, tenant_claim),
	offsetof(struct issuer_conf, user_claim),
	offsetof(struct issuer_conf, name_claim),
	offsetof(struct issuer_conf, email_claim),
	offsetof(struct issuer_conf, avatar_claim),
	offsetof(struct issuer_conf, tenant_prefix),
	offsetof(struct issuer_conf, user_prefix),
	offsetof(struct issuer_conf, scopes),
};

#define CONF_TEXTS (sizeof(conf_texts) / sizeof(conf_texts[0]))

static char **
conf_text(struct issuer_conf *c, size_t i)
{
	return (char **)(void *)((char *)c + conf_texts[i]);
}

static void
conf_copy(struct issuer_conf *to, const struct issuer_conf *from)
{
	*to = *from;
	for (size_t i = 0; i < CONF_TEXTS; i++)
		*conf_text(to, i) = xstrdup(*conf_text(to, i));
}

static void
conf_texts_free(struct issuer_conf *c)
{
	bytes_wipe(*(char **)(void *)&c->secret, strlen(c->secret));
	for (size_t i = 0; i < CONF_TEXTS; i++)
		free(*conf_text(c, i));
}

static void
issuers_end(struct refs *refs)
{
	struct issuers *set = (struct issuers *)(void *)refs;

	_Static_assert(offsetof(struct issuers, refs) == 0, "the references come first");
	for (unsigned i = 0; i < set->count; i++) {
		struct issuer *one = &set->items[i];

		if (one->secret != NULL)
			refs_give(&one->secret->refs);
		if (one->keys != NULL)
			refs_give(&one->keys->refs);
		conf_texts_free(&one->conf);
	}
	free(set);
}

/* The keys of the set before, if it has them from the same place; or none yet. */
static struct issuer_keys *
keys_of(const struct issuer_conf *c, const struct issuers *before)
{
	for (unsigned i = 0; before != NULL && i < before->count; i++) {
		struct issuer_keys *keys = before->items[i].keys;

		if (keys == NULL || strcmp(keys->name, c->name) != 0 ||
		    strcmp(keys->url, c->jwks_url) != 0)
			continue;
		refs_take(&keys->refs);
		return keys;
	}
	return issuer_keys_new(c->name, c->jwks_url);
}

/* The settings were checked (issuer_conf_valid), so neither list can be refused. */
static void
issuer_fill(struct issuer *one, const struct issuer_conf *c, const struct issuers *before)
{
	const char *algorithms = c->algorithms;
	struct err err = { 0 };

	if (*algorithms == '\0')
		algorithms = *c->secret != '\0' ? ISSUER_SECRET_ALGORITHMS : ISSUER_ALGORITHMS;
	conf_copy(&one->conf, c);
	if (!jwa_list_read(&one->algorithms, algorithms, &err) ||
	    !issuer_scopes_read(c->scopes, &one->scopes, &one->has_own_only, &err))
		abort();
	if (*c->secret != '\0')
		one->secret = jwk_set_of_secret(slice_str(c->secret));
	else
		one->keys = keys_of(c, before);
}

struct issuers *
issuers_new(const struct issuer_conf *all, unsigned count, const struct issuers *before)
{
	struct issuers *set = xcalloc(1, sizeof(*set) + count * sizeof(set->items[0]));

	refs_init(&set->refs, issuers_end);
	set->count = count;
	for (unsigned i = 0; i < count; i++)
		issuer_fill(&set->items[i], &all[i], before);
	return set;
}

void
issuers_give(struct issuers *set)
{
	if (set != NULL)
		refs_give(&set->refs);
}

const struct issuer *
issuers_find(const struct issuers *set, struct slice iss)
{
	for (unsigned i = 0; i < set->count; i++)
		if (slice_is(iss, set->items[i].conf.issuer))
			return &set->items[i];
	return NULL;
}
