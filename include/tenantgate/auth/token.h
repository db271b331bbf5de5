/* SPDX-License-Identifier: MIT */
/*
 * token: short-lived credentials for browsers, `tgt_<claims>.<signature>`: for one tenant, perhaps
 * one of its users, with scopes, until a second. Whoever has it may use it (RFC 6750), so it is
 * never logged; its id may be.
 *
 * The claims are JSON in base64url, readable to whoever has the token. The signature is an
 * HMAC-SHA-256 of all the text before the dot, as it stands, under a key that is derived from one
 * of seal_keys for this purpose alone: nothing that is sealed elsewhere can pass for a token, nor a
 * token for that. An older key that is still listed verifies, so that keys can be replaced. A token
 * is checked without a look-up: its signature, then its time, then the environment. What only the
 * tenant's record can say comes with that record: whether its tokens were revoked since
 * (struct tenant, token_generation), and whether it is suspended.
 *
 * Why a signature and not seal_encrypt(): random nonces allow a key 2^32 texts, which a busy
 * application's tokens use up in weeks; and nothing in the claims is a secret to its holder.
 */
#ifndef TENANTGATE_AUTH_TOKEN_H
#define TENANTGATE_AUTH_TOKEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/auth.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/base/seal.h"

#define TOKEN_TEXT_MAX 1280 /* bytes; a longer one is none of ours */

struct token_claims {
	char		id[TOKEN_ID_LEN + 1];
	char		tenant[TENANT_ID_MAX + 1];
	char		user[USER_ID_MAX + 1];	/* "": no user's */
	unsigned	scopes;			/* of SCOPES_NAMED */
	bool		has_own_only;		/* of documents, the user's alone */
	uint64_t	generation;		/* the tenant's, when it was made; never 0 */
	uint64_t	issued_s, expires_s;	/* since 1970; over in the second expires_s */
};

/* False: own and sql are together, of which one takes back what the other is for. */
bool	token_scopes_agree(const struct token_claims *);

/* One per process, for all its workers; does not change: any thread. The environment is
 * borrowed. */
struct token_signer;
struct token_signer	*token_signer_new(const struct seal *, const char *environment);
void			 token_signer_free(struct token_signer *); /* wipes; NULL is fine */

/* Appends the text, under the first key. False without memory, or at the buf's ceiling. */
bool	token_sign(const struct token_signer *, const struct token_claims *, struct buf *out);

enum token_verdict { TOKEN_GOOD, TOKEN_FORGED, TOKEN_EXPIRED, TOKEN_OF_ANOTHER };
/* At the given time. *out is filled for all but TOKEN_FORGED. TOKEN_OF_ANOTHER: of another
 * environment with the same keys. */
enum token_verdict	token_verify(const struct token_signer *, struct slice text, uint64_t now_s,
			    struct token_claims *out);

/* ---- what a token is to be ---- */

struct token_order {
	struct token_claims	claims;	/* token_order_read() fills user, scopes, has_own_only */
	uint64_t		ttl_s;
};

/* A body: {"user"?, "scopes"?, "ttl"?}, of which all other names are refused. may: the scopes of
 * whoever asks. user: for a body that names none, "" for nobody's. ttl_max_s is the default too.
 * False with err set: ERR_INVALID_FIELD, and ERR_SCOPE for a scope that the asker has not. */
bool	token_order_read(const json_t *body, unsigned may, const char *user, uint64_t ttl_max_s,
	    struct token_order *, struct err *);
/* Draws an id and sets the times: it is valid from now on. */
void	token_order_issue(struct token_order *, const char *tenant, uint64_t generation,
	    uint64_t now_us);
/* {"id","tenant","user","scopes","expiresAt","expiresIn"}, without the text. A new reference; NULL
 * without memory. */
json_t	*token_order_json(const struct token_order *);
/* The same of one that was issued, with its text as "token", signed. */
json_t	*token_made_json(const struct token_signer *, const struct token_order *);

/* ---- of a worker ---- */

/* From now on auth_check() knows tokens; borrowed. NULL: each is refused. */
void				 auth_use_tokens(struct auth *, const struct token_signer *);
const struct token_signer	*auth_tokens(const struct auth *);

#endif
