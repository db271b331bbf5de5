/* SPDX-License-Identifier: MIT */
/*
 * key_tag: the tag at the end of a key's text, by which an invented key is told from one that was
 * made here, without a lookup (auth.h says why). Any thread.
 */
#ifndef AUTH_KEY_TAG_H
#define AUTH_KEY_TAG_H

#include <stdbool.h>

#include "auth/auth_key.h"

#define TAG_SECRET_LEN 64 /* hex digits, as the catalog has it */

/* Whether this can be the installation's secret. */
bool key_tag_secret_valid(struct slice);

/* Once: from then on tags are verified. False when it cannot be the secret. */
bool key_tags_set(struct key_tags *, struct slice secret);

/* untagged: "tg_<id>_<secret>". */
void key_tag_make(struct slice tag_secret, struct slice untagged, char out[KEY_TAG_LEN + 1]);

enum key_verdict {
	KEY_FORGED,	/* its tag is none of ours */
	KEY_TAGGED,	/* made here, once; may be revoked by now */
	KEY_UNVERIFIED, /* it has no tag, or there is no tag secret yet: only a lookup can tell */
};
enum key_verdict key_tag_verify(const struct key_tags *, const struct key_text *);

#endif
