/* SPDX-License-Identifier: MIT */
/*
 * key_tag: makes and verifies tags.
 *
 * What always holds: the secret is written once, before `loaded` is set, and never changes; so it
 * is read without a lock.
 */
#include "auth/key_tag.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/base/hex.h"
#include "tenantgate/base/secret.h"

struct key_tags {
	char secret[TAG_SECRET_LEN]; /* valid once `loaded` is true */
	atomic_bool loaded;
};

struct key_tags *
key_tags_new(void)
{
	struct key_tags *tags = xcalloc(1, sizeof(*tags));

	atomic_init(&tags->loaded, false);
	return tags;
}

void
key_tags_free(struct key_tags *tags)
{
	if (tags == NULL)
		return;
	bytes_wipe(tags->secret, sizeof(tags->secret));
	free(tags);
}

bool
key_tags_set(struct key_tags *tags, struct slice secret)
{
	if (!key_tag_secret_valid(secret))
		return false;
	memcpy(tags->secret, secret.p, sizeof(tags->secret));
	atomic_store_explicit(&tags->loaded, true, memory_order_release);
	return true;
}

bool
key_tag_secret_valid(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (hex_value(s.p[i]) < 0)
			return false;
	return s.len == TAG_SECRET_LEN;
}

/* The first 64 bits of the HMAC as a number of base 62: 2^64 is so much larger than 62^8 that no
 * tag is likelier than another by more than one in 80,000. */
void
key_tag_make(struct slice tag_secret, struct slice untagged, char out[KEY_TAG_LEN + 1])
{
	static const char digits[] =
	    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint8_t mac[SHA256_SIZE];
	uint64_t n = 0;
	size_t i;

	hmac_sha256(tag_secret, untagged, mac);
	for (i = 0; i < sizeof(n); i++)
		n = n << 8 | mac[i];
	for (i = 0; i < KEY_TAG_LEN; i++, n /= sizeof(digits) - 1)
		out[i] = digits[n % (sizeof(digits) - 1)];
	out[KEY_TAG_LEN] = '\0';
}

/* In constant time: a tag that could be found byte by byte would verify what was invented. */
enum key_verdict
key_tag_verify(const struct key_tags *tags, const struct key_text *key)
{
	char tag[KEY_TAG_LEN + 1];

	if (key->tag.len == 0 || !atomic_load_explicit(&tags->loaded, memory_order_acquire))
		return KEY_UNVERIFIED;
	key_tag_make(slice_of(tags->secret, sizeof(tags->secret)), key->untagged, tag);
	return bytes_equal_ct(tag, key->tag.p, KEY_TAG_LEN) ? KEY_TAGGED : KEY_FORGED;
}
