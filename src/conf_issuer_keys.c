/* SPDX-License-Identifier: MIT */
/*
 * conf_issuer_keys: keys of [tenantgate] that are of all issuers together (conf_issuer.c has those
 * of one).
 */
#define CONF_STRUCT struct conf
#include "conf_table.h"

/* A table is laid out in columns. */
/* clang-format off */
const struct conf_key conf_all_issuers_keys[] = {
	GROUP("Tokens of identity providers (each has a section [issuer NAME])"),
	NUMBER("provisions_per_minute", api.provisions_per_minute, "60", 0, 1000000,
	    "Databases a minute that tokens of all issuers may begin; 0 for no limit."),
};
/* clang-format on */

const unsigned conf_all_issuers_keys_count =
    sizeof(conf_all_issuers_keys) / sizeof(conf_all_issuers_keys[0]);
