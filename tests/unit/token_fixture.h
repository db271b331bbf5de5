/* SPDX-License-Identifier: MIT */
/*
 * token_fixture: tokens signed with a shared secret, of any header and claims; the settings of an
 * issuer that would take them.
 */
#ifndef TESTS_TOKEN_FIXTURE_H
#define TESTS_TOKEN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/issuer_set.h"
#include "auth/jwt_claims.h"
#include "tenantgate/base/b64.h"
#include "tenantgate/base/digest.h"

#define TOKEN_SECRET "0123456789abcdef0123456789abcdef"
#define TOKEN_NOW    1800000000ull /* seconds since 1970 */
#define HS256_HEADER "{\"alg\":\"HS256\"}"

/* As the table of [issuer NAME] leaves what is not set. */
static const struct issuer_conf token_issuer = {
	.name = "one",
	.issuer = "https://one.example",
	.audience = "us",
	.authorized_parties = "",
	.jwks_url = "",
	.secret = TOKEN_SECRET,
	.algorithms = "",
	.token_type = "",
	.tenant_claim = "org_id",
	.user_claim = "sub",
	.name_claim = "name",
	.email_claim = "email",
	.avatar_claim = "picture",
	.tenant_prefix = "",
	.user_prefix = "",
	.scopes = "chat",
	.leeway_us = 30 * 1000000ull,
	.jwks_refresh_us = 600 * 1000000ull,
	.jwks_cooldown_us = 30 * 1000000ull,
	.jwks_stale_us = 86400 * 1000000ull,
	.jwks_timeout_us = 1000000ull,
};

/* The text is the buf's, which the caller frees. */
static inline struct slice
jwt_sign_hs256(struct buf *b, const char *header, const char *claims)
{
	uint8_t mac[SHA256_SIZE];

	buf_init(b, 2 * JWT_MAX);
	assert_true(b64url_put(b, slice_str(header)));
	assert_true(buf_putc(b, '.') && b64url_put(b, slice_str(claims)));
	hmac_sha256(SLICE_LIT(TOKEN_SECRET), buf_view(b), mac);
	assert_true(buf_putc(b, '.') && b64url_put(b, slice_of((char *)mac, sizeof(mac))));
	return buf_view(b);
}

#endif
