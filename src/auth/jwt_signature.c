/* SPDX-License-Identifier: MIT */
/*
 * jwt_signature: see jwk.h.
 */
#include "auth/jwk.h"

bool
jwt_signature_is_good(const struct jwt *t, const struct jwk *k)
{
	static const enum signature_form forms[] = {
		[JWA_RSA_PKCS1] = SIGNATURE_PKCS1,
		[JWA_RSA_PSS] = SIGNATURE_PSS,
		[JWA_ECDSA] = SIGNATURE_ECDSA,
		[JWA_EDDSA] = SIGNATURE_ED25519,
	};
	struct slice signature = buf_view(&t->signature);

	if (t->alg->family == JWA_HMAC)
		return secret_verifies(slice_of(k->secret, k->secret_len), t->alg->digest,
		    t->signed_part, signature);
	return public_key_verifies(k->key, forms[t->alg->family], t->alg->digest, t->signed_part,
	    signature);
}
