/* SPDX-License-Identifier: MIT */
/*
 * key: the text of an API key, "tg_" + key id + "_" + secret. Pure.
 */
#ifndef AUTH_KEY_H
#define AUTH_KEY_H

#include <stdbool.h>

#include "tenantgate/auth.h"

/* Slices of the text. */
struct key_text {
	struct slice id;
	struct slice secret;
};

/* An Authorization value: the scheme Bearer in any case, then one key and nothing else. False for
 * anything that is not exactly that. */
bool key_from_header(struct slice authorization, struct key_text *);
bool key_parse(struct slice, struct key_text *);

const char *caller_kind_name(enum caller_kind);
bool caller_kind_parse(const char *, enum caller_kind *);

#endif
