/* SPDX-License-Identifier: MIT */
/*
 * conf_token_keys: a table of the keys of [tenantgate] (conf_section.c): users' tokens.
 */
#define CONF_STRUCT struct conf
#include "conf_table.h"

/* A table is laid out in columns. */
/* clang-format off */
const struct conf_key conf_token_keys[] = {
	GROUP("Tokens for browsers"),
	DURATION("token_ttl", api.token_ttl_us, "15m", 1 * SECONDS, 1 * DAYS,
	    "How long a token of POST /tokens is valid, at most and unless its body says less."),
};
/* clang-format on */

const unsigned conf_token_keys_count = sizeof(conf_token_keys) / sizeof(conf_token_keys[0]);
