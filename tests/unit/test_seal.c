/* SPDX-License-Identifier: MIT */
/*
 * test_seal: what opens, and what does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tenantgate/base/b64.h"
#include "tenantgate/base/seal.h"

#define KEY_OLD "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_NEW "F0f1f2f3f4f5f6f7f8f9fafbfcfdfeff00112233445566778899aabbccddeeff"

static void
seal_into(const char *keys, const char *plain, const char *context, struct buf *out)
{
	struct seal *s = seal_new(keys);

	assert_non_null(s);
	buf_init(out, 100000);
	assert_true(seal_encrypt(s, slice_str(plain), slice_str(context), out));
	seal_free(s);
}

static bool
seal_opens(const char *keys, struct slice sealed, const char *context, const char *plain)
{
	struct seal *s = seal_new(keys);
	struct buf out;
	bool ok;

	assert_non_null(s);
	buf_init(&out, 100000);
	assert_true(buf_puts(&out, "before:"));
	ok = seal_decrypt(s, sealed, slice_str(context), &out);
	assert_memory_equal(out.data, "before:", 7);
	assert_string_equal(out.data + 7, ok ? plain : "");
	buf_free(&out);
	seal_free(s);
	return ok;
}

static void
a_sealed_text_opens(void **state)
{
	static const char *const plains[] = { "", "x", "postgres://u:p@h/db", "\xff\xfe bytes" };
	struct buf sealed;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(plains) / sizeof(plains[0]); i++) {
		seal_into(KEY_OLD, plains[i], "tenant:acme", &sealed);
		assert_true(slice_starts(buf_view(&sealed), "tgs1."));
		assert_true(seal_opens(KEY_OLD, buf_view(&sealed), "tenant:acme", plains[i]));
		buf_free(&sealed);
	}
	seal_into(KEY_OLD, "text", "", &sealed);
	assert_true(seal_opens(KEY_OLD, buf_view(&sealed), "", "text"));
	buf_free(&sealed);
}

static void
equal_texts_seal_differently(void **state)
{
	struct buf one, two;

	(void)state;
	seal_into(KEY_OLD, "same", "c", &one);
	seal_into(KEY_OLD, "same", "c", &two);
	assert_string_not_equal(one.data, two.data);
	/* Only the prefix and the key's id are equal: its 4 bytes are 5 characters and a part of
	 * one. */
	assert_memory_equal(one.data, two.data, 5 + 5);
	buf_free(&one);
	buf_free(&two);
}

static void
another_context_does_not_open(void **state)
{
	struct buf sealed;

	(void)state;
	seal_into(KEY_OLD, "secret", "tenant:acme", &sealed);
	assert_false(seal_opens(KEY_OLD, buf_view(&sealed), "tenant:acmf", ""));
	assert_false(seal_opens(KEY_OLD, buf_view(&sealed), "tenant:acme ", ""));
	assert_false(seal_opens(KEY_OLD, buf_view(&sealed), "", ""));
	buf_free(&sealed);
}

static void
every_changed_letter_is_noticed(void **state)
{
	struct buf sealed;
	size_t i;

	(void)state;
	seal_into(KEY_OLD, "secret", "c", &sealed);
	for (i = 0; i < sealed.len; i++) {
		char kept = sealed.data[i];

		sealed.data[i] = kept == 'A' ? 'B' : 'A';
		assert_false(seal_opens(KEY_OLD, buf_view(&sealed), "c", ""));
		sealed.data[i] = kept;
		assert_false(seal_opens(KEY_OLD, slice_of(sealed.data, i), "c", ""));
	}
	assert_true(seal_opens(KEY_OLD, buf_view(&sealed), "c", "secret"));
	assert_true(buf_putc(&sealed, 'A'));
	assert_false(seal_opens(KEY_OLD, buf_view(&sealed), "c", ""));
	buf_free(&sealed);
	assert_false(seal_opens(KEY_OLD, slice_str("secret"), "c", ""));
	assert_false(seal_opens(KEY_OLD, slice_of(NULL, 0), "c", ""));
}

static void
an_older_key_still_reads(void **state)
{
	struct buf old, new;

	(void)state;
	seal_into(KEY_OLD, "secret", "c", &old);
	seal_into(KEY_NEW ", " KEY_OLD, "secret", "c", &new);
	assert_true(seal_opens(KEY_NEW "," KEY_OLD, buf_view(&old), "c", "secret"));
	assert_true(seal_opens(KEY_OLD "," KEY_NEW, buf_view(&new), "c", "secret"));
	assert_true(seal_opens(KEY_NEW, buf_view(&new), "c", "secret"));
	assert_false(seal_opens(KEY_NEW, buf_view(&old), "c", ""));
	assert_false(seal_opens(KEY_OLD, buf_view(&new), "c", ""));
	buf_free(&old);
	buf_free(&new);
}

static void
malformed_keys_are_refused(void **state)
{
	static const char *const bad[] = { "", ",", KEY_OLD ",", "," KEY_OLD, KEY_OLD "0",
		KEY_OLD ";" KEY_NEW,
		"g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "0001",
		KEY_OLD "," KEY_OLD "," KEY_OLD "," KEY_OLD "," KEY_OLD "," KEY_OLD "," KEY_OLD
			"," KEY_OLD "," KEY_OLD };
	size_t i;

	(void)state;
	assert_null(seal_new(NULL));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(seal_new(bad[i]));
	seal_free(NULL);
}

static void
a_full_buf_gets_nothing_secret(void **state)
{
	struct seal *s = seal_new(KEY_OLD);
	struct buf sealed, out;

	(void)state;
	buf_init(&sealed, 1000);
	assert_true(seal_encrypt(s, slice_str("a secret"), slice_str("c"), &sealed));
	buf_init(&out, 7);
	assert_false(seal_decrypt(s, buf_view(&sealed), slice_str("c"), &out));
	assert_true(out.failed);
	assert_false(seal_encrypt(s, slice_str("x"), slice_str("c"), &out));
	buf_free(&out);
	buf_free(&sealed);
	seal_free(s);
}

static void
the_prefix_tells_which_key_sealed(void **state)
{
	struct seal *old = seal_new(KEY_OLD), *both = seal_new(KEY_NEW "," KEY_OLD);
	char of_old[SEAL_PREFIX_LEN + 1], of_new[SEAL_PREFIX_LEN + 1];
	struct buf sealed;

	(void)state;
	seal_prefix(old, of_old);
	seal_prefix(both, of_new);
	assert_string_not_equal(of_old, of_new);
	buf_init(&sealed, 1000);
	assert_true(seal_encrypt(both, slice_str("x"), slice_str("c"), &sealed));
	assert_true(slice_starts(buf_view(&sealed), of_new));
	assert_true(seal_knows(both, buf_view(&sealed)));
	assert_false(seal_knows(old, buf_view(&sealed)));
	buf_reset(&sealed);
	assert_true(seal_encrypt(old, slice_str("x"), slice_str("c"), &sealed));
	assert_true(slice_starts(buf_view(&sealed), of_old));
	assert_true(seal_knows(both, buf_view(&sealed)));
	assert_false(seal_knows(both, slice_str("tgs1.")));
	assert_true(seal_prefix_of(both, 1, of_new));
	assert_string_equal(of_new, of_old);
	assert_false(seal_prefix_of(both, 2, of_new));
	buf_free(&sealed);
	seal_free(old);
	seal_free(both);
}

/* The wanted bytes: printf users | openssl dgst -sha256 -mac HMAC -macopt hexkey:KEY_OLD */
static void
a_key_is_derived_for_a_purpose(void **state)
{
	static const uint8_t want[SEAL_KEY_SIZE] = { 0x2b, 0xf0, 0x86, 0x42, 0x94, 0x13, 0x1b, 0x28,
		0xcb, 0xc5, 0xb2, 0x48, 0xa6, 0xcd, 0xc7, 0xec, 0x67, 0x1d, 0x7e, 0x80, 0xfb, 0x02,
		0xab, 0x47, 0xc0, 0xe0, 0x26, 0x71, 0xd8, 0x48, 0xfe, 0x7b };
	struct seal *old = seal_new(KEY_OLD), *both = seal_new(KEY_NEW "," KEY_OLD);
	uint8_t a[SEAL_KEY_SIZE], b[SEAL_KEY_SIZE];

	(void)state;
	seal_derive(old, "users", a);
	assert_memory_equal(a, want, sizeof(a));
	seal_derive(old, "others", b);
	assert_memory_not_equal(a, b, sizeof(a));
	seal_derive(both, "users", b);
	assert_memory_not_equal(a, b, sizeof(a)); /* of the first key */
	seal_free(old);
	seal_free(both);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sealed_text_opens),
		cmocka_unit_test(equal_texts_seal_differently),
		cmocka_unit_test(another_context_does_not_open),
		cmocka_unit_test(every_changed_letter_is_noticed),
		cmocka_unit_test(an_older_key_still_reads),
		cmocka_unit_test(malformed_keys_are_refused),
		cmocka_unit_test(a_full_buf_gets_nothing_secret),
		cmocka_unit_test(the_prefix_tells_which_key_sealed),
		cmocka_unit_test(a_key_is_derived_for_a_purpose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
