/* SPDX-License-Identifier: MIT */
/*
 * jwt_claims: what the claims of a token say, and whether they may (RFC 7519 section 4.1, RFC
 * 8725bis). To be asked before its signature is checked, for it is cheap: what is not for us costs
 * no key. Pure; any thread.
 */
#ifndef AUTH_JWT_CLAIMS_H
#define AUTH_JWT_CLAIMS_H

#include "auth/jwt_parse.h"
#include "tenantgate/auth/issuer.h"

/* Who sent a token, if its signature is good. Slices are borrowed from its claims; p NULL: it does
 * not say. */
struct jwt_sender {
	char tenant[TENANT_ID_MAX + 1];
	char user[USER_ID_MAX + 1]; /* "": it names none */
	struct slice name, email, avatar_url;
};

/* At that time (since 1970). False: *why says what is wrong, for operators (static). */
bool jwt_claims_judge(const struct jwt *, const struct issuer_conf *, uint64_t now_us,
    struct jwt_sender *, const char **why);
/* The claim's value: by its name or, where that begins with '/', by a JSON pointer (RFC 6901). NULL
 * when there is none. */
const json_t *jwt_claim(const json_t *claims, const char *name);

/*
 * A user's id out of what an issuer calls them, such as auth0|123: each byte that is not of an id,
 * and ':' itself, becomes ':' and two hexadecimal digits (auth0:7c123). So two subjects never
 * become one id, and an id can be read back. False when it is empty or does not fit.
 */
bool subject_id_write(struct slice subject, char out[USER_ID_MAX + 1]);

#endif
