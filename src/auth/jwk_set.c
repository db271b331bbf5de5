/* SPDX-License-Identifier: MIT */
/*
 * jwk_set: the keys of an issuer, and the choice of one.
 */
#include <stdlib.h>

#include "auth/jwk.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/json.h"

#define NODES_MAX 4096 /* of a set's JSON */

static void
jwk_set_end(struct refs *refs)
{
	struct jwk_set *set = (struct jwk_set *)(void *)refs;

	_Static_assert(offsetof(struct jwk_set, refs) == 0, "the references come first");
	for (unsigned i = 0; i < set->count; i++)
		jwk_free(&set->keys[i]);
	free(set);
}

static struct jwk_set *
jwk_set_new(unsigned room)
{
	struct jwk_set *set = xcalloc(1, sizeof(*set) + room * sizeof(set->keys[0]));

	refs_init(&set->refs, jwk_set_end);
	return set;
}

static struct jwk_set *
jwk_set_fill(const json_t *keys)
{
	struct jwk_set *set = jwk_set_new((unsigned)json_array_size(keys));
	const json_t *one;
	const char *why;
	size_t i;

	json_array_foreach(keys, i, one) {
		if (jwk_read(one, &set->keys[set->count], &why)) {
			set->count++;
			continue;
		}
		jwk_free(&set->keys[set->count]);
		set->passed_over++;
		set->given_away += jwk_is_given_away(one);
	}
	return set;
}

static struct jwk_set *
jwk_set_of_json(const json_t *root, struct err *err)
{
	const json_t *keys = json_object_get(root, "keys");
	struct jwk_set *set;

	if (!json_is_array(keys) || json_array_size(keys) > JWKS_KEYS_MAX) {
		err_set(err, ERR_INVALID_FIELD, "It has no array \"keys\", or one of more than %u.",
		    JWKS_KEYS_MAX);
		return NULL;
	}
	set = jwk_set_fill(keys);
	if (set->count > 0)
		return set;
	err_set(err, ERR_INVALID_FIELD, "None of its %zu keys can be used to check signatures%s.",
	    json_array_size(keys),
	    set->given_away > 0 ? "; who reads it could sign with some" : "");
	refs_give(&set->refs);
	return NULL;
}

struct jwk_set *
jwk_set_read(struct slice text, struct err *err)
{
	struct jwk_set *set = NULL;
	json_t *root = NULL;

	if (text.len <= JWKS_BYTES_MAX && json_nodes_fit(text, NODES_MAX, err))
		root = json_read_object(text, err);
	if (root != NULL)
		set = jwk_set_of_json(root, err);
	else
		err_set(err, ERR_INVALID_JSON, "It is too long.");
	json_decref(root);
	return set;
}

struct jwk_set *
jwk_set_of_secret(struct slice secret)
{
	struct jwk_set *set = jwk_set_new(1);
	struct jwk *k = &set->keys[0];

	k->type = JWK_SECRET;
	k->secret = xmalloc(secret.len + 1);
	memcpy(k->secret, secret.p, secret.len);
	k->secret_len = secret.len;
	set->count = 1;
	return set;
}

/* ---- the choice ---- */

static bool
jwk_is_of_family(const struct jwk *k, const struct jwa *alg)
{
	switch (alg->family) {
	case JWA_HMAC:
		return k->type == JWK_SECRET && k->secret_len >= alg->digest_bytes;
	case JWA_RSA_PKCS1:
	case JWA_RSA_PSS:
		return k->type == JWK_RSA;
	case JWA_ECDSA:
		return k->type == JWK_EC && strcmp(k->curve, alg->curve) == 0;
	case JWA_EDDSA:
		return k->type == JWK_OKP && strcmp(k->curve, alg->curve) == 0;
	}
	return false;
}

/* One key, one algorithm (RFC 8725bis 3.1). A shared secret has that of its token's, among those
 * that the operator has listed. */
bool
jwk_suits(const struct jwk *k, const struct jwa *alg, const struct jwa_list *allowed)
{
	if (!jwa_list_has(allowed, alg) || !jwk_is_of_family(k, alg))
		return false;
	if (k->alg != NULL)
		return jwa_is_same(k->alg, alg);
	if (k->type == JWK_SECRET)
		return true;
	for (unsigned i = 0; i < allowed->count; i++)
		if (jwk_is_of_family(k, allowed->items[i]))
			return jwa_is_same(allowed->items[i], alg);
	return false;
}

enum jwk_choice
jwk_choose(const struct jwk_set *set, const struct jwt *t, const struct jwa_list *allowed,
    const struct jwk **out)
{
	unsigned of_that_id = 0, suitable = 0;

	*out = NULL;
	for (unsigned i = 0; i < set->count; i++) {
		const struct jwk *k = &set->keys[i];
		bool is_meant = t->kid.p == NULL || k->type == JWK_SECRET ||
		    (k->kid != NULL && slice_is(t->kid, k->kid));

		of_that_id += is_meant;
		if (!is_meant || !jwk_suits(k, t->alg, allowed))
			continue;
		suitable++;
		*out = k;
	}
	if (suitable == 1)
		return JWK_FOUND;
	*out = NULL;
	if (suitable > 1)
		return JWK_AMBIGUOUS;
	return of_that_id > 0 && t->kid.p != NULL ? JWK_UNFIT : JWK_UNKNOWN;
}
