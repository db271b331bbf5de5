/* SPDX-License-Identifier: MIT */
/*
 * jwt_claims: see the header. Every claim that is there must be of its type: one that cannot be
 * read is not taken for one that is absent.
 */
#include "auth/jwt_claims.h"

#include <math.h>
#include <stdio.h>

#define SECOND_US	 1000000.0
#define NUMERIC_DATE_MAX 253402300799.0 /* the end of the year 9999 */
#define POINTER_MAX	 256		/* bytes of a step of a pointer */

/* ---- finding a claim ---- */

/* One step of a pointer, with ~1 and ~0 as RFC 6901 has them. False: too long. */
static bool
pointer_step(const char **p, char out[POINTER_MAX])
{
	size_t n = 0;

	for (; **p != '\0' && **p != '/'; (*p)++) {
		if (n + 1 >= POINTER_MAX)
			return false;
		out[n] = **p;
		if (**p == '~' && ((*p)[1] == '0' || (*p)[1] == '1'))
			out[n] = *++(*p) == '0' ? '~' : '/';
		n++;
	}
	out[n] = '\0';
	return true;
}

const json_t *
jwt_claim(const json_t *claims, const char *name)
{
	char step[POINTER_MAX];

	if (*name != '/')
		return json_object_get(claims, name);
	while (*name == '/' && claims != NULL) {
		name++;
		if (!pointer_step(&name, step))
			return NULL;
		claims = json_object_get(claims, step);
	}
	return claims;
}

static struct slice
claim_text(const json_t *claims, const char *name)
{
	const json_t *value = *name == '\0' ? NULL : jwt_claim(claims, name);

	return slice_of(json_string_value(value), json_string_length(value));
}

/* ---- for whom it is ---- */

/* Whether a list of names, by blanks or commas, has this one. */
static bool
list_has(const char *list, struct slice one)
{
	const char *between = " ,\t";

	for (list += strspn(list, between); *list != '\0'; list += strspn(list, between)) {
		size_t n = strcspn(list, between);

		if (n == one.len && memcmp(list, one.p, n) == 0)
			return true;
		list += n;
	}
	return false;
}

static bool
text_is_listed(const json_t *value, const char *list)
{
	return json_is_string(value) &&
	    list_has(list, slice_of(json_string_value(value), json_string_length(value)));
}

/* RFC 7519 4.1.3: one text, or several in an array, of which one is ours. */
static bool
audience_is_ours(const json_t *aud, const char *ours)
{
	bool found = false;
	const json_t *one;
	size_t i;

	if (!json_is_array(aud))
		return text_is_listed(aud, ours);
	json_array_foreach(aud, i, one) {
		if (!json_is_string(one))
			return false;
		found = found || text_is_listed(one, ours);
	}
	return found;
}

static const char *
parties_judge(const struct jwt *t, const struct issuer_conf *c)
{
	if (!slice_is(claim_text(t->claims, "iss"), c->issuer))
		return "its iss is another";
	if (*c->audience != '\0' &&
	    !audience_is_ours(json_object_get(t->claims, "aud"), c->audience))
		return "its aud has none of the configured audience";
	if (*c->authorized_parties != '\0' &&
	    !text_is_listed(json_object_get(t->claims, "azp"), c->authorized_parties))
		return "its azp is none of the configured authorized_parties";
	return NULL;
}

/* An id token, a logout token, a proof: each has its own typ, where its issuer follows the
 * standards; what is neither named nor usual is not for us. */
static bool
type_is_good(const struct jwt *t, const char *wanted)
{
	if (*wanted != '\0')
		return slice_is_nocase(t->typ, wanted);
	return t->typ.p == NULL || slice_is_nocase(t->typ, "JWT") ||
	    slice_is_nocase(t->typ, "at+jwt");
}

/* ---- when ---- */

/* Seconds since 1970, maybe with a fraction (RFC 7519 section 2). False: it is there, and none. */
static bool
claim_time(const json_t *claims, const char *name, double absent, double *out)
{
	const json_t *value = json_object_get(claims, name);

	*out = value == NULL ? absent : json_number_value(value);
	return value == NULL ||
	    (json_is_number(value) && isfinite(*out) && *out >= 0 && *out <= NUMERIC_DATE_MAX);
}

static const char *
times_judge(const json_t *claims, double leeway, double now)
{
	double exp, nbf, iat;

	if (json_object_get(claims, "exp") == NULL || !claim_time(claims, "exp", 0, &exp))
		return "its exp is missing or no time";
	if (!claim_time(claims, "nbf", 0, &nbf) || !claim_time(claims, "iat", 0, &iat))
		return "its nbf or iat is no time";
	if (now >= exp + leeway)
		return "it has expired";
	if (now + leeway < nbf)
		return "it is not valid yet (nbf)";
	if (now + leeway < iat)
		return "it was issued in the future (iat); look at the clocks";
	return exp <= nbf || exp <= iat ? "its exp is before its nbf or iat" : NULL;
}

/* ---- whose ---- */

static bool
tenant_is_user(const struct issuer_conf *c)
{
	return strcmp(c->tenant_claim, c->user_claim) == 0;
}

/* False: it is too long. */
static bool
id_write(char out[TENANT_ID_MAX + 1], const char *prefix, struct slice id)
{
	size_t n = strlen(prefix);

	_Static_assert(USER_ID_MAX == TENANT_ID_MAX, "one length for both");
	if (n + id.len > TENANT_ID_MAX)
		return false;
	memcpy(out, prefix, n);
	memcpy(out + n, id.p, id.len);
	out[n + id.len] = '\0';
	return true;
}

/* The prefix keeps issuers apart, so an id that does not fit behind it is refused, never cut. A
 * tenant that is a user is called as that user is. */
static bool
tenant_write(const struct jwt *t, const struct issuer_conf *c, const char *user,
    struct jwt_sender *out)
{
	struct slice text =
	    tenant_is_user(c) ? slice_str(user) : claim_text(t->claims, c->tenant_claim);

	return auth_tenant_valid(text) && id_write(out->tenant, c->tenant_prefix, text);
}

static const char *
sender_judge(const struct jwt *t, const struct issuer_conf *c, struct jwt_sender *out)
{
	char user[USER_ID_MAX + 1];

	if (!subject_id_write(claim_text(t->claims, c->user_claim), user) ||
	    !id_write(out->user, c->user_prefix, slice_str(user)))
		return "its user claim is missing, no text, or too long for an id";
	if (!tenant_write(t, c, user, out))
		return "its tenant claim is missing, or no tenant id";
	return NULL;
}

/* Some say it as a text. An issuer that says nothing of it vouches for what it tells. */
static bool
is_proved(const json_t *verified)
{
	return verified == NULL || json_is_true(verified) ||
	    (json_is_string(verified) && strcmp(json_string_value(verified), "true") == 0);
}

/* By the name that OpenID Connect gives it, and Better Auth's, which Neon Auth is. */
static bool
email_is_proved(const json_t *claims)
{
	return is_proved(json_object_get(claims, "email_verified")) &&
	    is_proved(json_object_get(claims, "emailVerified"));
}

/* An address that is not proved is not taken for the user's. */
static void
sender_profile(const struct jwt *t, const struct issuer_conf *c, struct jwt_sender *out)
{
	out->name = claim_text(t->claims, c->name_claim);
	out->avatar_url = claim_text(t->claims, c->avatar_claim);
	if (email_is_proved(t->claims))
		out->email = claim_text(t->claims, c->email_claim);
}

bool
jwt_claims_judge(const struct jwt *t, const struct issuer_conf *c, uint64_t now_us,
    struct jwt_sender *out, const char **why)
{
	*out = (struct jwt_sender){ 0 };
	*why = parties_judge(t, c);
	if (*why == NULL && !type_is_good(t, c->token_type))
		*why = "its typ is that of another kind of token";
	if (*why == NULL)
		*why = times_judge(t->claims, (double)c->leeway_us / SECOND_US,
		    (double)now_us / SECOND_US);
	if (*why == NULL)
		*why = sender_judge(t, c, out);
	if (*why == NULL)
		sender_profile(t, c, out);
	return *why == NULL;
}
