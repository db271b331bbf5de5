/* SPDX-License-Identifier: MIT */
/*
 * issuer_token: tokens of https://one.example for "us", of the user ann of the tenant harbour, good
 * until the year 2096; signed with the key of RFC 8037, appendix A, whose private half is printed
 * there.
 */
#ifndef TESTS_ISSUER_TOKEN_H
#define TESTS_ISSUER_TOKEN_H

#include "tenantgate/auth/issuer.h"

/* clang-format off */
#define KEYS \
	"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," \
	"\"kid\":\"one\",\"x\":\"11qYAYKxCrfVS_7TyWQHO" \
	"g7hcvPapiMlrwIaaPcHURo\"}]}"
#define OTHER_KEYS \
	"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," \
	"\"kid\":\"two\",\"x\":\"qOqrrnmq2DckoVC3qZTWu" \
	"HAVR4raQFNfTdqbnHidqnA\"}]}"
#define GOOD_TOKEN \
	"eyJhbGciOiJFZERTQSIsImtpZCI6Im9uZSJ9.eyJpc3MiOiJodHRwczovL29uZS5leGFtcGxlIiw" \
	"iYXVkIjoidXMiLCJleHAiOjQwMDAwMDAwMDAsInN1YiI6ImFubiIsIm9yZ19pZCI6ImhhcmJvdXI" \
	"ifQ.y8lzP8YZM35mFnOXewCaDBVJCJ29bZQimecz4D9FfSDjUU_7OOcePEBLK1GMBDdlYLY7NMoN" \
	"nHnG9RiSqauCCQ"
#define UNKNOWN_KEY_TOKEN \
	"eyJhbGciOiJFZERTQSIsImtpZCI6InRocmVlIn0.eyJpc3MiOiJodHRwczovL29uZS5leGFtcGxl" \
	"IiwiYXVkIjoidXMiLCJleHAiOjQwMDAwMDAwMDAsInN1YiI6ImFubiIsIm9yZ19pZCI6ImhhcmJv" \
	"dXIifQ.mlDxg-eLF_SQJW-PFPel8Wx4iQXGf0lu9pz8RpEEctxJPm7oI7shfW1IAgY8SAcAayX-2" \
	"IPQpow9xknwZHv0BA"
/* clang-format on */

static const struct issuer_conf issuer_one = { .name = "one",
	.issuer = "https://one.example",
	.audience = "us",
	.authorized_parties = "",
	.jwks_url = "https://one.example/jwks",
	.secret = "",
	.algorithms = "",
	.token_type = "",
	.tenant_claim = "org_id",
	.user_claim = "sub",
	.name_claim = "",
	.email_claim = "",
	.avatar_claim = "",
	.tenant_prefix = "",
	.user_prefix = "",
	.scopes = "own, chat",
	.jwks_refresh_us = 600 * 1000000ull,
	.jwks_cooldown_us = 30 * 1000000ull,
	.jwks_stale_us = 86400 * 1000000ull,
	.jwks_timeout_us = 1000000ull };

#endif
