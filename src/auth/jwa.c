/* SPDX-License-Identifier: MIT */
/*
 * jwa: the table of algorithms. A row says all that ties one to a key: its family, and for ECDSA
 * the one curve (RFC 7518 section 3.4 binds the digest to it).
 */
#include "auth/jwa.h"

#include <string.h>

/* clang-format off */
static const struct jwa algorithms[JWA_COUNT] = {
	{ "HS256",	JWA_HMAC,	"SHA256", 32, NULL },
	{ "HS384",	JWA_HMAC,	"SHA384", 48, NULL },
	{ "HS512",	JWA_HMAC,	"SHA512", 64, NULL },
	{ "RS256",	JWA_RSA_PKCS1,	"SHA256", 32, NULL },
	{ "RS384",	JWA_RSA_PKCS1,	"SHA384", 48, NULL },
	{ "RS512",	JWA_RSA_PKCS1,	"SHA512", 64, NULL },
	{ "PS256",	JWA_RSA_PSS,	"SHA256", 32, NULL },
	{ "PS384",	JWA_RSA_PSS,	"SHA384", 48, NULL },
	{ "PS512",	JWA_RSA_PSS,	"SHA512", 64, NULL },
	{ "ES256",	JWA_ECDSA,	"SHA256", 32, "P-256" },
	{ "ES384",	JWA_ECDSA,	"SHA384", 48, "P-384" },
	{ "ES512",	JWA_ECDSA,	"SHA512", 64, "P-521" },
	{ "EdDSA",	JWA_EDDSA,	NULL,	  0,  "Ed25519" },
	{ "Ed25519",	JWA_EDDSA,	NULL,	  0,  "Ed25519" },
};
/* clang-format on */

const struct jwa *
jwa_find(struct slice name)
{
	for (unsigned i = 0; i < JWA_COUNT; i++)
		if (slice_is(name, algorithms[i].name))
			return &algorithms[i];
	return NULL;
}

bool
jwa_is_same(const struct jwa *a, const struct jwa *b)
{
	return a == b || (a->family == JWA_EDDSA && b->family == JWA_EDDSA);
}

bool
jwa_list_has(const struct jwa_list *list, const struct jwa *one)
{
	for (unsigned i = 0; i < list->count; i++)
		if (list->items[i] == one)
			return true;
	return false;
}

static bool
jwa_list_add(struct jwa_list *list, struct slice name, struct err *err)
{
	const struct jwa *one = jwa_find(name);

	if (one == NULL) {
		err_set(err, ERR_INVALID_FIELD,
		    "\"%.*s\" is no algorithm that is known here; write RS256, PS256, ES256, EdDSA "
		    "or their like.",
		    name.len > 32 ? 32 : SLICE_ARG(name));
		return false;
	}
	if (jwa_list_has(list, one)) {
		err_set(err, ERR_INVALID_FIELD, "%s is there twice; write it once.", one->name);
		return false;
	}
	list->items[list->count++] = one;
	return true;
}

bool
jwa_list_read(struct jwa_list *list, const char *text, struct err *err)
{
	const char *between = " ,\t";

	list->count = 0;
	for (text += strspn(text, between); *text != '\0'; text += strspn(text, between)) {
		struct slice name = slice_of(text, strcspn(text, between));

		if (!jwa_list_add(list, name, err))
			return false;
		text += name.len;
	}
	if (list->count == 0)
		err_set(err, ERR_INVALID_FIELD, "No algorithm is named; write one at least.");
	return list->count > 0;
}
