/* SPDX-License-Identifier: MIT */
/*
 * fuzz_jwt: bytes as a token of an issuer. Whatever is taken apart says an algorithm that is known,
 * no `crit`, and is spelt in one way; whoever is told out of its claims has ids that are ids; and
 * nothing that the fuzzer writes has a good signature. The first byte chooses: a token, the header
 * and claims of one (which is then put together, 'p', or 'a' to be compared with public keys), or a
 * set of keys, 'k'.
 *
 * sources: src/auth/jwa.c src/auth/jwk.c src/auth/jwk_set.c src/auth/jwt_claims.c
 * sources: src/auth/jwt_parse.c src/auth/jwt_signature.c src/auth/subject_id.c
 * sources: src/auth/tenant_of.c src/base/alloc.c src/base/b64.c src/base/buf.c src/base/clock.c
 * sources: src/base/err.c src/base/json.c src/base/json_count.c src/base/json_put.c src/base/log.c
 * sources: src/base/log_repeat.c src/base/public_key.c src/base/refs.c src/base/secret.c
 * sources: src/base/utf8.c src/base/json_memory.c
 * libs: -lcrypto -ljansson -lm
 */
#include "auth/jwk.h"
#include "auth/jwt_claims.h"
#include "tenantgate/base/b64.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/jwt_keys.h"

#define NOW_US 1800000000000000ull
#define SECRET "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct issuer_conf issuer = {
	.name = "one",
	.issuer = "i",
	.audience = "us",
	.authorized_parties = "",
	.token_type = "",
	.tenant_claim = "/o/id",
	.user_claim = "sub",
	.tenant_prefix = "one.",
	.user_prefix = "",
	.name_claim = "name",
	.email_claim = "email",
	.avatar_claim = "picture",
};

static void
check_sender(const struct jwt *t)
{
	struct jwt_sender s;
	const char *why = NULL;

	if (!jwt_claims_judge(t, &issuer, NOW_US, &s, &why)) {
		fuzz_check(why != NULL);
		return;
	}
	fuzz_check(auth_tenant_valid(slice_str(s.tenant)) && auth_tenant_valid(slice_str(s.user)));
	fuzz_check(strncmp(s.tenant, "one.", 4) == 0 && s.tenant[4] != '\0');
	fuzz_check(json_object_get(t->claims, "exp") != NULL);
	fuzz_check(strcmp(json_string_value(json_object_get(t->claims, "iss")), "i") == 0);
}

/* Its parts, written again, are the token. */
static void
check_spelling(const struct jwt *t, struct slice text)
{
	struct buf b;

	buf_init(&b, 2 * JWT_MAX);
	fuzz_check(b64url_put(&b, buf_view(&t->payload)) && buf_putc(&b, '.') &&
	    b64url_put(&b, buf_view(&t->signature)));
	fuzz_check(b.len < text.len && memcmp(b.data, text.p + text.len - b.len, b.len) == 0 &&
	    text.p[text.len - b.len - 1] == '.');
	buf_free(&b);
}

static void
check_token(struct slice text, const struct jwk_set *set, const struct jwa_list *allowed)
{
	const struct jwk *key = NULL;
	const char *why = NULL;
	struct jwt t;

	if (!jwt_parse(text, &t, &why)) {
		fuzz_check(why != NULL);
		jwt_free(&t);
		return;
	}
	fuzz_check(t.alg != NULL && json_object_get(t.header, "crit") == NULL);
	check_spelling(&t, text);
	if (jwk_choose(set, &t, allowed, &key) == JWK_FOUND)
		fuzz_check(jwk_suits(key, t.alg, allowed) && !jwt_signature_is_good(&t, key));
	if (jwt_read_claims(&t, &why))
		check_sender(&t);
	jwt_free(&t);
}

/* The bytes up to the first line end are the header, the rest the claims. */
static void
check_parts(struct slice s, const struct jwk_set *set, const struct jwa_list *allowed)
{
	const char *end = memchr(s.p, '\n', s.len);
	size_t n = end == NULL ? s.len : (size_t)(end - s.p);
	struct slice claims = end == NULL ? slice_of("", 0) : slice_of(end + 1, s.len - n - 1);
	struct buf b;

	buf_init(&b, 4 * JWT_MAX);
	if (b64url_put(&b, slice_of(s.p, n)) && buf_putc(&b, '.') && b64url_put(&b, claims) &&
	    buf_puts(&b, ".AAAA"))
		check_token(buf_view(&b), set, allowed);
	buf_free(&b);
}

static void
check_set(struct slice text)
{
	struct err err = { 0 };
	struct jwk_set *set = jwk_set_read(text, &err);

	fuzz_check((set != NULL) == !err_is(&err));
	if (set == NULL)
		return;
	fuzz_check(set->count > 0 && set->count + set->passed_over <= JWKS_KEYS_MAX);
	for (unsigned i = 0; i < set->count; i++)
		fuzz_check(set->keys[i].type != JWK_SECRET && set->keys[i].key != NULL);
	refs_give(&set->refs);
}

/* Made once. */
static const struct jwk_set *
public_keys(void)
{
	static struct jwk_set *set;
	char text[sizeof(jwt_public_keys)];
	struct err err = { 0 };

	if (set != NULL)
		return set;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = jwt_public_keys[i] == '\'' ? '"' : jwt_public_keys[i];
	set = jwk_set_read(slice_str(text), &err);
	fuzz_check(set != NULL && set->count == 4);
	return set;
}

static void
check_public(struct slice rest)
{
	struct jwa_list allowed;
	struct err err = { 0 };

	fuzz_check(jwa_list_read(&allowed, "RS256 PS256 RS512 ES256 ES384 EdDSA Ed25519", &err));
	check_parts(rest, public_keys(), &allowed);
}

static void
check_secret(struct slice rest, bool is_parts)
{
	struct jwk_set *set = jwk_set_of_secret(SLICE_LIT(SECRET));
	struct jwa_list allowed;
	struct err err = { 0 };
	struct slice token;

	fuzz_check(jwa_list_read(&allowed, "HS256 HS384 HS512", &err));
	if (is_parts)
		check_parts(rest, set, &allowed);
	else if (jwt_from_header(rest, &token))
		check_token(token, set, &allowed);
	else
		check_token(rest, set, &allowed);
	refs_give(&set->refs);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice rest = slice_of((const char *)bytes + 1, n - 1);

	if (n == 0)
		return 0;
	if (bytes[0] == 'k')
		check_set(rest);
	else if (bytes[0] == 'a')
		check_public(rest);
	else
		check_secret(rest, bytes[0] == 'p');
	return 0;
}
