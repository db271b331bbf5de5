/* SPDX-License-Identifier: MIT */
/*
 * conf_browser_keys: the keys of [tenantgate] about pages in browsers (conf_process_keys.c has what
 * is listened on).
 */
#define CONF_STRUCT struct conf
#include "conf_table.h"

/* A table is laid out in columns. */
/* clang-format off */
const struct conf_key conf_browser_keys[] = {
	GROUP("Browsers"),
	STRING("cors_allow_origins", http.cors_allow_origins, "", CONF_EMPTY_IS_NULL,
	    "Origins, such as https://app.example.com, by commas, whose pages may ask us and read "
	    "the answers; empty: none."),
};
/* clang-format on */

const unsigned conf_browser_keys_count = sizeof(conf_browser_keys) / sizeof(conf_browser_keys[0]);
