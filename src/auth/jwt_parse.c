/* SPDX-License-Identifier: MIT */
/*
 * jwt_parse: see the header. Strict, by RFC 8725bis: the alphabet is checked before anything is
 * decoded; base64url without padding, one spelling of each value; JSON without duplicate names, so
 * that nobody reads another `alg` than we do; and whatever changes the meaning of the rest is
 * refused: `crit` (RFC 7515 section 4.1.11: what is not understood must be), `b64`, `zip`, `enc`.
 * Where the header says that keys could be had (jku, x5u, jwk, x5c) is not read at all.
 *
 * Neither this nor the check of the signature is libjose's: it knows no EdDSA, does not read `crit`
 * and `kid`, takes the last of two `alg`, and passes RS256 on a key of PS256, RS512 on one of RS256
 * and ES256 on P-384. With these checks before it, what was left for it to do is one call of
 * OpenSSL (jwt_signature.c).
 */
#include "auth/jwt_parse.h"

#include "tenantgate/base/b64.h"
#include "tenantgate/base/json.h"

/* Fields of a header that must not be there. */
static const char *const refused_fields[] = { "crit", "b64", "zip", "enc" };

static bool
is_token_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    c == '.' || c == '_' || c == '-';
}

static unsigned
count_dots(struct slice s)
{
	unsigned dots = 0;

	for (size_t i = 0; i < s.len; i++)
		dots += s.p[i] == '.';
	return dots;
}

bool
jwt_looks_like(struct slice s)
{
	return s.len > 0 && s.len <= JWT_MAX && count_dots(s) == 2;
}

/* Up to the next dot, or the end; *rest is what is behind the dot. */
static struct slice
next_part(struct slice *rest)
{
	const char *dot = memchr(rest->p, '.', rest->len);
	size_t n = dot == NULL ? rest->len : (size_t)(dot - rest->p);
	struct slice part = slice_of(rest->p, n);

	*rest = dot == NULL ? slice_of(rest->p + n, 0) : slice_of(dot + 1, rest->len - n - 1);
	return part;
}

static json_t *
header_json(struct slice part)
{
	struct err err = { 0 };
	json_t *json = NULL;
	struct buf text;

	buf_init(&text, JWT_MAX);
	if (b64url_get(&text, part))
		json = json_read_object(buf_view(&text), &err);
	buf_free(&text);
	return json;
}

/* p NULL: it is not there. False: it is there, and no string of 1 to max bytes. */
static bool
header_text(const struct jwt *t, const char *name, size_t max, struct slice *out)
{
	const json_t *value = json_object_get(t->header, name);

	if (value == NULL)
		return true;
	*out = slice_of(json_string_value(value), json_string_length(value));
	return json_is_string(value) && out->len > 0 && out->len <= max;
}

static bool
header_is_plain(const struct jwt *t)
{
	for (size_t i = 0; i < sizeof(refused_fields) / sizeof(refused_fields[0]); i++)
		if (json_object_get(t->header, refused_fields[i]) != NULL)
			return false;
	return true;
}

static const char *
header_read(struct jwt *t)
{
	const struct slice prefix = SLICE_LIT("application/");
	struct slice alg = { 0 };

	if (!header_is_plain(t))
		return "its header has crit, b64, zip or enc, which are not understood here";
	if (!header_text(t, "alg", 32, &alg) || alg.p == NULL || (t->alg = jwa_find(alg)) == NULL)
		return "its header names no algorithm that is known here";
	if (!header_text(t, "kid", JWT_KID_MAX, &t->kid))
		return "the kid in its header is no text of a reasonable length";
	if (!header_text(t, "typ", 64, &t->typ))
		return "the typ in its header is no text of a reasonable length";
	if (t->typ.len > prefix.len && slice_is_nocase(slice_of(t->typ.p, prefix.len), prefix.p))
		t->typ = slice_of(t->typ.p + prefix.len, t->typ.len - prefix.len);
	return NULL;
}

static const char *
parts_read(struct slice text, struct jwt *t)
{
	struct slice rest = text, header = next_part(&rest), payload = next_part(&rest);

	t->signed_part = slice_of(text.p, header.len + 1 + payload.len);
	if (rest.len == 0 || !b64url_get(&t->signature, rest))
		return "its signature is missing or not base64url";
	if (!b64url_get(&t->payload, payload))
		return "its claims are not base64url";
	t->header = header_json(header);
	if (t->header == NULL)
		return "its header is no JSON object, or names a field twice";
	return header_read(t);
}

bool
jwt_read_claims(struct jwt *t, const char **why)
{
	struct err err = { 0 };

	t->claims = json_read_object(buf_view(&t->payload), &err);
	if (t->claims == NULL)
		*why = "its claims are no JSON object, or one is there twice";
	return t->claims != NULL;
}

bool
jwt_parse(struct slice text, struct jwt *t, const char **why)
{
	*t = (struct jwt){ 0 };
	buf_init(&t->signature, JWT_MAX);
	buf_init(&t->payload, JWT_MAX);
	*why = "it has not the form of a signed token";
	if (!jwt_looks_like(text))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!is_token_byte(text.p[i]))
			return false;
	*why = parts_read(text, t);
	return *why == NULL;
}

void
jwt_free(struct jwt *t)
{
	json_decref(t->header);
	json_decref(t->claims);
	buf_free(&t->signature);
	buf_free(&t->payload);
	*t = (struct jwt){ 0 };
}

/* RFC 6750 2.1: the scheme (in any case, RFC 9110 11.1), blanks, the token. */
bool
jwt_from_header(struct slice authorization, struct slice *token)
{
	const struct slice scheme = SLICE_LIT("Bearer ");
	struct slice value = slice_trim(authorization);

	if (value.len <= scheme.len || !slice_is_nocase(slice_of(value.p, scheme.len), scheme.p))
		return false;
	*token = slice_trim(slice_of(value.p + scheme.len, value.len - scheme.len));
	return jwt_looks_like(*token);
}
