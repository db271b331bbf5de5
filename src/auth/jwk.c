/* SPDX-License-Identifier: MIT */
/*
 * jwk: the text of a public key. Lengths are exact (RFC 7518 section 6.2.1.2, RFC 8037 section 2):
 * one spelling of each key.
 */
#include "auth/jwk.h"

#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/b64.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/secret.h"

/* A member of the key that is base64url, of max bytes at most. Empty when it is not that. */
static void
member_bytes(const json_t *json, const char *name, size_t max, struct buf *out)
{
	struct slice text = { 0 };
	struct err err = { 0 };

	buf_init(out, max);
	if (json_get_string(json, name, &text, &err))
		(void)b64url_get(out, text);
}

static const char *
rsa_read(const json_t *json, struct jwk *k)
{
	struct buf n, e;

	k->type = JWK_RSA;
	member_bytes(json, "n", RSA_BYTES_MAX, &n);
	member_bytes(json, "e", RSA_EXPONENT_MAX, &e);
	k->key = public_key_rsa(buf_view(&n), buf_view(&e));
	buf_free(&n);
	buf_free(&e);
	return k->key != NULL ? NULL : "it is no RSA key of 2048 to 8192 bits";
}

/* Static; NULL: there is none, or it is none of ours. */
static const char *
curve_read(const json_t *json)
{
	static const char *const names[] = { "P-256", "P-384", "P-521", "Ed25519" };
	struct slice curve = { 0 };
	struct err err = { 0 };

	if (!json_get_string(json, "crv", &curve, &err))
		return NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_is(curve, names[i]))
			return names[i];
	return NULL;
}

static const char *
ec_read(const json_t *json, struct jwk *k)
{
	struct buf x, y;
	size_t coordinate;

	k->type = JWK_EC;
	k->curve = curve_read(json);
	coordinate = k->curve != NULL ? curve_bytes(k->curve) : 0;
	if (coordinate == 0)
		return "its curve is not P-256, P-384 or P-521";
	member_bytes(json, "x", coordinate, &x);
	member_bytes(json, "y", coordinate, &y);
	k->key = public_key_ec(k->curve, buf_view(&x), buf_view(&y));
	buf_free(&x);
	buf_free(&y);
	return k->key != NULL ? NULL : "its point is not one of its curve";
}

static const char *
okp_read(const json_t *json, struct jwk *k)
{
	struct buf x;

	k->type = JWK_OKP;
	k->curve = curve_read(json);
	if (k->curve == NULL || curve_bytes(k->curve) != 0)
		return "its curve is not Ed25519";
	member_bytes(json, "x", ED25519_KEY_SIZE, &x);
	k->key = public_key_ed25519(buf_view(&x));
	buf_free(&x);
	return k->key != NULL ? NULL : "its point is not one of its curve";
}

/* ---- what a key says of itself ---- */

static bool
text_is(const json_t *value, const char *text)
{
	return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

/* RFC 7517 4.2 and 4.3: what is for something else is not used. */
static bool
is_for_signatures(const json_t *json)
{
	const json_t *use = json_object_get(json, "use"), *ops = json_object_get(json, "key_ops");
	const json_t *op;
	size_t i;

	if (use != NULL && !text_is(use, "sig"))
		return false;
	json_array_foreach(ops, i, op) {
		if (text_is(op, "verify"))
			return true;
	}
	return ops == NULL;
}

/* Its kid and alg, where they are there. */
static const char *
jwk_read_names(const json_t *json, struct jwk *k)
{
	struct slice kid = { 0 }, alg = { 0 };
	struct err err = { 0 };

	if (!json_opt_string(json, "kid", &kid, &err) || !json_opt_string(json, "alg", &alg, &err))
		return "its kid or alg is no text";
	if (kid.p != NULL && (kid.len == 0 || kid.len > JWT_KID_MAX))
		return "its kid is empty or too long";
	if (alg.p != NULL && (k->alg = jwa_find(alg)) == NULL)
		return "its alg is none that is known here";
	if (kid.p != NULL)
		k->kid = xstrdup(kid.p);
	return NULL;
}

static const char *
jwk_read_type(const json_t *json, struct jwk *k)
{
	const json_t *type = json_object_get(json, "kty");

	if (text_is(type, "RSA"))
		return rsa_read(json, k);
	if (text_is(type, "EC"))
		return ec_read(json, k);
	if (text_is(type, "OKP"))
		return okp_read(json, k);
	return "its kty is none of a public key";
}

bool
jwk_is_given_away(const json_t *json)
{
	static const char *const parts[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (json_object_get(json, parts[i]) != NULL)
			return true;
	return false;
}

bool
jwk_read(const json_t *json, struct jwk *k, const char **why)
{
	*k = (struct jwk){ 0 };
	if (!json_is_object(json))
		*why = "it is no object";
	else if (jwk_is_given_away(json))
		*why = "it has private parts";
	else if (!is_for_signatures(json))
		*why = "its use or key_ops is not to check signatures";
	else if ((*why = jwk_read_names(json, k)) == NULL)
		*why = jwk_read_type(json, k);
	return *why == NULL;
}

void
jwk_free(struct jwk *k)
{
	free(k->kid);
	public_key_free(k->key);
	if (k->secret != NULL)
		bytes_wipe(k->secret, k->secret_len);
	free(k->secret);
	*k = (struct jwk){ 0 };
}
