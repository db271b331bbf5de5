/* SPDX-License-Identifier: MIT */
/*
 * token_check: see the header.
 */
#include "auth/token_check.h"

#include <stdio.h>
#include <string.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/base/mutation.h"

/* RFC 6750 2.1: the scheme (in any case, RFC 9110 11.1), blanks, the token. */
static bool
token_from_header(struct slice value, struct slice *out)
{
	const size_t scheme = sizeof("Bearer") - 1;

	value = slice_trim(value);
	if (value.len <= scheme || !slice_is_nocase(slice_of(value.p, scheme), "Bearer") ||
	    value.p[scheme] != ' ')
		return false;
	*out = slice_trim(slice_of(value.p + scheme, value.len - scheme));
	return slice_starts(*out, "tgt_");
}

static void
caller_of_claims(const struct token_claims *c, struct caller *out)
{
	out->kind = CALLER_TOKEN;
	snprintf(out->tenant, sizeof(out->tenant), "%s", mutated(MUTATION_TOKEN_TENANT, c->tenant));
	memcpy(out->user, c->user, sizeof(out->user));
	out->scopes = c->scopes;
	out->has_own_only = c->has_own_only;
	out->token_generation = c->generation;
}

bool
token_check(const struct token_signer *signer, struct slice authorization, struct caller *out)
{
	enum token_verdict verdict;
	struct token_claims claims;
	struct slice text;

	if (!token_from_header(authorization, &text))
		return false;
	if (signer == NULL)
		return true;
	verdict = token_verify(signer, text, clock_wall_us() / 1000000, &claims);
	if (verdict == TOKEN_FORGED)
		return true;
	memcpy(out->token_id, claims.id, sizeof(out->token_id));
	if (verdict == TOKEN_GOOD)
		caller_of_claims(&claims, out);
	else
		out->cause = verdict == TOKEN_EXPIRED ? "the token has expired"
						      : "the token is of another environment";
	return true;
}
