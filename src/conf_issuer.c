/* SPDX-License-Identifier: MIT */
/*
 * conf_issuer: the table of the keys of [issuer NAME], an identity provider, and what auth/ says of
 * their settings.
 */
#define CONF_STRUCT struct issuer_conf
#include "conf_table.h"

/* A table is laid out in columns. */
/* clang-format off */
const struct conf_key conf_issuer_keys[] = {
	STRING("issuer", issuer, "${ISSUER}", CONF_EMPTY_REFUSED,
	    "What its tokens have as iss, byte for byte (https://tenant.example.auth0.com/)."),
	STRING("audience", audience, "", CONF_EMPTY_ALLOWED,
	    "Ours: their aud has one of these, by commas."),
	STRING("authorized_parties", authorized_parties, "", CONF_EMPTY_ALLOWED,
	    "Their azp is one of these, by commas; for issuers whose tokens have no aud."),
	URL("jwks_url", jwks_url, "", CONF_EMPTY_ALLOWED, "http https",
	    "Where its public keys are (a JWK set). Either this, or secret."),
	SWITCH("jwks_allow_http", allows_http, "off",
	    "Fetch them without TLS from another machine, too."),
	SECRET("secret", secret, "", CONF_EMPTY_ALLOWED,
	    "A secret shared with it (HS256: 32 bytes or more)."),
	STRING("algorithms", algorithms, "", CONF_EMPTY_ALLOWED,
	    "Those allowed, by commas; empty: RS256, ES256, EdDSA, Ed25519; with a secret HS256."),
	STRING("token_type", token_type, "", CONF_EMPTY_ALLOWED,
	    "What their typ must be (at+jwt: access tokens alone); empty: JWT, at+jwt or none."),
	STRING("tenant_claim", tenant_claim, "org_id", CONF_EMPTY_REFUSED,
	    "The claim that names the tenant; a pointer such as /o/id for one inside another."),
	STRING("user_claim", user_claim, "sub", CONF_EMPTY_REFUSED,
	    "The claim that names the user. With the same for both, the tenant is the user."),
	STRING("tenant_prefix", tenant_prefix, "", CONF_EMPTY_ALLOWED,
	    "Put before the tenant's name: this issuer's tenants are apart from others'."),
	STRING("user_prefix", user_prefix, "", CONF_EMPTY_ALLOWED,
	    "The same before the user's."),
	SWITCH("shared_tenants", shares_tenants, "off",
	    "Tenants may be those of another issuer that has this on, too."),
	STRING("scopes", scopes, "ingest,chat,search,documents,v1,mcp", CONF_EMPTY_REFUSED,
	    "What its tokens may do, by commas; sql is the only other. With own, which does not go "
	    "with sql: of documents, those of their user alone."),
	STRING("name_claim", name_claim, "name", CONF_EMPTY_ALLOWED,
	    "Where the tenant is the user: the claim with their name, for public.users."),
	STRING("email_claim", email_claim, "email", CONF_EMPTY_ALLOWED,
	    "The same with the address; not taken where email_verified, or emailVerified, is there "
	    "and not true."),
	STRING("avatar_claim", avatar_claim, "picture", CONF_EMPTY_ALLOWED,
	    "The same with the address of a picture."),
	DURATION("leeway", leeway_us, "30s", 0, 10 * 60 * SECONDS,
	    "How much its clock may differ from ours."),
	NUMBER("provisions_per_minute", provisions_per_minute, "=provisions_per_minute", 0, 1000000,
	    "Databases a minute that its tokens may begin; 0 for no such limit."),
	DURATION("jwks_refresh", jwks_refresh_us, "10m", 1 * SECONDS, 7 * DAYS,
	    "How old its keys may be; after half of that they are fetched anew behind a request."),
	DURATION("jwks_cooldown", jwks_cooldown_us, "30s", 100 * MS, 1 * HOURS,
	    "The least time between two fetches, however many unknown keys are named."),
	DURATION("jwks_stale_ttl", jwks_stale_us, "24h", 1 * SECONDS, 30 * DAYS,
	    "How long keys stay in use while no fetch succeeds."),
	DURATION("jwks_timeout", jwks_timeout_us, "5s", 10 * MS, 60 * SECONDS,
	    "How long one fetch may take."),
};
/* clang-format on */

const unsigned conf_issuer_keys_count = sizeof(conf_issuer_keys) / sizeof(conf_issuer_keys[0]);

const char conf_issuer_example[] =
    "# For instance, an app whose users sign in with Google, and are its tenants:\n"
    "#[issuer google]\n"
    "#issuer = https://accounts.google.com\n"
    "#audience = 1234567890-abc.apps.googleusercontent.com\n"
    "#jwks_url = https://www.googleapis.com/oauth2/v3/certs\n"
    "#tenant_claim = sub\n";

void
conf_check_issuers(struct conf_reading *r)
{
	struct issuer_conf all[ISSUERS_MAX];
	unsigned count = 0;

	for (const struct conf_scope *s = r->scopes->next; s != NULL; s = s->next) {
		const char *key = "issuer";
		struct err err = { 0 };
		struct conf_place at;

		if (s->section->tables->keys != conf_issuer_keys || count == ISSUERS_MAX)
			continue;
		all[count] = *(const struct issuer_conf *)s->base;
		if (!s->is_good || all[count].issuer == NULL)
			continue;
		if (issuer_conf_valid(all, count, &key, &err)) {
			count++;
			continue;
		}
		at = conf_key_place(s, key);
		if (!conf_key_refused(s, key))
			conf_error(r, &at, "%s: %s", key, err.detail);
	}
}
