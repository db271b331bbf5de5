/* SPDX-License-Identifier: MIT */
/*
 * auth_key: the text of an API key, "tg_" + key id + "_" + secret + tag (old keys have none). Pure;
 * any thread. The prefix is for people and secret scanners: a key that was pasted somewhere is
 * recognised as one.
 */
#ifndef AUTH_KEY_H
#define AUTH_KEY_H

#include <stdbool.h>

#include "tenantgate/auth.h"

/* Slices of the text: borrowed, valid as long as it is. */
struct key_text {
	struct slice id;     /* KEY_ID_LEN bytes; may be logged */
	struct slice secret; /* KEY_SECRET_LEN bytes; never logged */
	struct slice untagged; /* all before the tag: what the tag was made of; never logged */
	struct slice tag;      /* KEY_TAG_LEN bytes, or none */
};

/* An Authorization value: the scheme Bearer in any case, then one key and nothing else. False for
 * anything that is not exactly that. */
bool key_from_header(struct slice authorization, struct key_text *);
bool key_parse(struct slice, struct key_text *);
/* ASCII letters and digits, or nothing. */
bool key_text_is_alphanumeric(struct slice);

#endif
