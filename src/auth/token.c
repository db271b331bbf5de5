/* SPDX-License-Identifier: MIT */
/*
 * token: makes and verifies the text of a token (see the header).
 *
 * What always holds: nothing of a token is decoded before its signature was compared, so what is
 * read here was written by token_sign(), of this build or another.
 */
#include "tenantgate/auth/token.h"

#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/b64.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/secret.h"

#define PREFIX	       "tgt_"
#define PURPOSE	       "signatures of tokens, 1" /* no other key is derived by that name */
#define VERSION	       1
#define SIGNATURE_LEN  43 /* characters of base64url: SHA256_SIZE bytes */
#define JSON_MAX_BYTES 896

struct token_signer {
	const char *environment; /* borrowed */
	size_t nkeys;
	uint8_t keys[SEAL_KEYS_MAX][SEAL_KEY_SIZE]; /* the first one signs */
};

struct token_signer *
token_signer_new(const struct seal *seal, const char *environment)
{
	struct token_signer *s = xcalloc(1, sizeof(*s));

	s->environment = environment;
	while (
	    s->nkeys < SEAL_KEYS_MAX && seal_derive_of(seal, s->nkeys, PURPOSE, s->keys[s->nkeys]))
		s->nkeys++;
	return s;
}

void
token_signer_free(struct token_signer *s)
{
	if (s == NULL)
		return;
	bytes_wipe(s, sizeof(*s));
	free(s);
}

/* False without memory. */
static bool
put_signature(const uint8_t key[SEAL_KEY_SIZE], struct slice signed_text, struct buf *out)
{
	uint8_t mac[SHA256_SIZE];

	hmac_sha256(slice_of((const char *)key, SEAL_KEY_SIZE), signed_text, mac);
	return b64url_put(out, slice_of((const char *)mac, sizeof(mac)));
}

/* ---- make ---- */

static json_t *
claims_json(const struct token_signer *s, const struct token_claims *c)
{
	char scopes[KEY_SCOPES_SIZE];

	key_scopes_print(c->scopes, ",", scopes);
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:I}", "v", VERSION, "id",
	    c->id, "env", s->environment, "tenant", c->tenant, "user", c->user, "scopes", scopes,
	    "own", (int)c->has_own_only, "gen", (json_int_t)c->generation, "iat",
	    (json_int_t)c->issued_s, "exp", (json_int_t)c->expires_s);
}

bool
token_sign(const struct token_signer *s, const struct token_claims *c, struct buf *out)
{
	json_t *json = claims_json(s, c);
	size_t begin = out->len;
	struct buf text;
	bool ok;

	buf_init(&text, JSON_MAX_BYTES);
	ok = json != NULL && json_put(&text, json) && buf_puts(out, PREFIX) &&
	    b64url_put(out, buf_view(&text)) &&
	    put_signature(s->keys[0], slice_of(out->data + begin, out->len - begin), &text) &&
	    buf_putc(out, '.') &&
	    buf_slice(out, slice_of(text.data + text.len - SIGNATURE_LEN, SIGNATURE_LEN));
	buf_free(&text);
	json_decref(json);
	return ok;
}

/* ---- verify ---- */

/* In constant time, by whichever key: who could measure it would guess a signature byte by byte. */
static bool
is_signed(const struct token_signer *s, struct slice signed_text, const char *signature)
{
	bool is = false;

	for (size_t i = 0; i < s->nkeys && !is; i++) {
		struct buf ours;

		buf_init(&ours, SIGNATURE_LEN);
		is = put_signature(s->keys[i], signed_text, &ours) &&
		    bytes_equal_ct(ours.data, signature, SIGNATURE_LEN);
		buf_free(&ours);
	}
	return is;
}

static bool
token_claim_copy(const json_t *o, const char *name, char *out, size_t size)
{
	struct slice v = { NULL, 0 };
	struct err err = { 0 };

	if (!json_get_string(o, name, &v, &err) || v.len >= size)
		return false;
	memcpy(out, v.p, v.len);
	out[v.len] = '\0';
	return true;
}

static bool
claim_number(const json_t *o, const char *name, uint64_t *out)
{
	struct err err = { 0 };
	int64_t n = 0;

	if (!json_opt_int(o, name, 1, INT64_MAX, &n, &err) || n == 0)
		return false;
	*out = (uint64_t)n;
	return true;
}

bool
token_scopes_agree(const struct token_claims *c)
{
	return !c->has_own_only || (c->scopes & SCOPE_BIT(SCOPE_SQL)) == 0;
}

/* A token of a later version is not understood, and so is none. */
static bool
claims_read(const json_t *o, struct token_claims *c)
{
	char scopes[KEY_SCOPES_SIZE];
	uint64_t version = 0;
	struct err err = { 0 };

	memset(c, 0, sizeof(*c));
	if (!claim_number(o, "v", &version) || version != VERSION ||
	    !token_claim_copy(o, "id", c->id, sizeof(c->id)) ||
	    !token_claim_copy(o, "tenant", c->tenant, sizeof(c->tenant)) ||
	    !token_claim_copy(o, "user", c->user, sizeof(c->user)) ||
	    !token_claim_copy(o, "scopes", scopes, sizeof(scopes)) ||
	    !json_opt_bool(o, "own", &c->has_own_only, &err) ||
	    !claim_number(o, "gen", &c->generation) || !claim_number(o, "iat", &c->issued_s) ||
	    !claim_number(o, "exp", &c->expires_s))
		return false;
	c->scopes = key_scopes_known(slice_str(scopes));
	return auth_tenant_valid(slice_str(c->tenant)) && token_scopes_agree(c) &&
	    (!c->has_own_only || c->user[0] != '\0');
}

static bool
is_of_environment(const struct token_signer *s, const json_t *o)
{
	struct slice named = { NULL, 0 };
	struct err err = { 0 };

	return json_get_string(o, "env", &named, &err) && slice_is(named, s->environment);
}

static enum token_verdict
claims_judge(const struct token_signer *s, struct slice encoded, uint64_t now_s,
    struct token_claims *out)
{
	enum token_verdict verdict = TOKEN_FORGED;
	struct err err = { 0 };
	json_t *o = NULL;
	struct buf text;

	buf_init(&text, JSON_MAX_BYTES);
	if (b64url_get(&text, encoded))
		o = json_read_object(buf_view(&text), &err);
	if (o != NULL && claims_read(o, out)) {
		verdict = now_s < out->expires_s ? TOKEN_GOOD : TOKEN_EXPIRED;
		if (!is_of_environment(s, o))
			verdict = TOKEN_OF_ANOTHER;
	}
	json_decref(o);
	buf_free(&text);
	return verdict;
}

enum token_verdict
token_verify(const struct token_signer *s, struct slice text, uint64_t now_s,
    struct token_claims *out)
{
	const size_t prefix = sizeof(PREFIX) - 1;
	size_t signed_len;

	if (text.len > TOKEN_TEXT_MAX || text.len < prefix + 1 + SIGNATURE_LEN ||
	    !slice_starts(text, PREFIX))
		return TOKEN_FORGED;
	signed_len = text.len - SIGNATURE_LEN - 1;
	if (text.p[signed_len] != '.' ||
	    !is_signed(s, slice_of(text.p, signed_len), text.p + signed_len + 1))
		return TOKEN_FORGED;
	return claims_judge(s, slice_of(text.p + prefix, signed_len - prefix), now_s, out);
}
