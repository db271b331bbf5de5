/* SPDX-License-Identifier: MIT */
/*
 * test_seal: what opens, what does not, and known answers of the small cryptography.
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
	assert_true(seal_close(s, slice_str(plain), slice_str(context), out));
	seal_free(s);
}

static bool
opens(const char *keys, struct slice sealed, const char *context, const char *plain)
{
	struct seal *s = seal_new(keys);
	struct buf out;
	bool ok;

	assert_non_null(s);
	buf_init(&out, 100000);
	assert_true(buf_puts(&out, "before:"));
	ok = seal_open(s, sealed, slice_str(context), &out);
	assert_memory_equal(out.data, "before:", 7);
	assert_string_equal(out.data + 7, ok ? plain : "");
	buf_free(&out);
	seal_free(s);
	return ok;
}

static void
what_was_sealed_opens(void **state)
{
	static const char *const plains[] = { "", "x", "postgres://u:p@h/db", "\xff\xfe bytes" };
	struct buf sealed;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(plains) / sizeof(plains[0]); i++) {
		seal_into(KEY_OLD, plains[i], "tenant:acme", &sealed);
		assert_true(slice_starts(buf_view(&sealed), "tgs1."));
		assert_true(opens(KEY_OLD, buf_view(&sealed), "tenant:acme", plains[i]));
		buf_free(&sealed);
	}
	seal_into(KEY_OLD, "text", "", &sealed);
	assert_true(opens(KEY_OLD, buf_view(&sealed), "", "text"));
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
	/* Only the mark and the key's id are equal: 4 bytes are 5 letters and a part of one. */
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
	assert_false(opens(KEY_OLD, buf_view(&sealed), "tenant:acmf", ""));
	assert_false(opens(KEY_OLD, buf_view(&sealed), "tenant:acme ", ""));
	assert_false(opens(KEY_OLD, buf_view(&sealed), "", ""));
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
		assert_false(opens(KEY_OLD, buf_view(&sealed), "c", ""));
		sealed.data[i] = kept;
		assert_false(opens(KEY_OLD, slice_of(sealed.data, i), "c", ""));
	}
	assert_true(opens(KEY_OLD, buf_view(&sealed), "c", "secret"));
	assert_true(buf_putc(&sealed, 'A'));
	assert_false(opens(KEY_OLD, buf_view(&sealed), "c", ""));
	buf_free(&sealed);
	assert_false(opens(KEY_OLD, slice_str("secret"), "c", ""));
	assert_false(opens(KEY_OLD, slice_of(NULL, 0), "c", ""));
}

static void
an_older_key_still_reads(void **state)
{
	struct buf old, new;

	(void)state;
	seal_into(KEY_OLD, "secret", "c", &old);
	seal_into(KEY_NEW ", " KEY_OLD, "secret", "c", &new);
	assert_true(opens(KEY_NEW "," KEY_OLD, buf_view(&old), "c", "secret"));
	assert_true(opens(KEY_OLD "," KEY_NEW, buf_view(&new), "c", "secret"));
	assert_true(opens(KEY_NEW, buf_view(&new), "c", "secret"));
	assert_false(opens(KEY_NEW, buf_view(&old), "c", ""));
	assert_false(opens(KEY_OLD, buf_view(&new), "c", ""));
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
	assert_true(seal_close(s, slice_str("a secret"), slice_str("c"), &sealed));
	buf_init(&out, 7);
	assert_false(seal_open(s, buf_view(&sealed), slice_str("c"), &out));
	assert_true(out.failed);
	assert_false(seal_close(s, slice_str("x"), slice_str("c"), &out));
	buf_free(&out);
	buf_free(&sealed);
	seal_free(s);
}

static void
sha256_gives_the_known_answers(void **state)
{
	static const char *const rows[][2] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	char hex[SHA256_HEX_SIZE];
	uint8_t raw[SHA256_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		sha256_hex(slice_str(rows[i][0]), hex);
		assert_string_equal(hex, rows[i][1]);
	}
	sha256_hex(slice_of(NULL, 0), hex);
	assert_string_equal(hex, rows[0][1]);
	sha256(slice_str("abc"), raw);
	assert_memory_equal(raw, "\xba\x78\x16\xbf", 4);
}

static void
bytes_are_compared_and_wiped(void **state)
{
	char text[] = "secret";

	(void)state;
	assert_true(bytes_equal_ct("abc", "abc", 3));
	assert_false(bytes_equal_ct("abc", "abd", 3));
	assert_true(bytes_equal_ct(NULL, NULL, 0));
	bytes_wipe(text, 6);
	assert_memory_equal(text, "\0\0\0\0\0\0", 6);
}

static void
ids_are_readable_and_spread(void **state)
{
	int counts[256] = { 0 }, used = 0, i;
	char one[25], two[25];
	static char many[54001];

	(void)state;
	id_random(one, 24);
	id_random(two, 24);
	assert_int_equal(strlen(one), 24);
	assert_string_not_equal(one, two);
	id_random(one, 0);
	assert_string_equal(one, "");
	id_random(many, sizeof(many) - 1);
	for (i = 0; many[i] != '\0'; i++)
		counts[(unsigned char)many[i]]++;
	for (i = 0; i < 256; i++) {
		if (counts[i] == 0)
			continue;
		used++;
		assert_null(strchr("01iIlLoO-_", i));
		/* 1000 expected of each; ten deviations either side. */
		assert_in_range(counts[i], 690, 1310);
	}
	assert_int_equal(used, 54);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_sealed_opens),
		cmocka_unit_test(equal_texts_seal_differently),
		cmocka_unit_test(another_context_does_not_open),
		cmocka_unit_test(every_changed_letter_is_noticed),
		cmocka_unit_test(an_older_key_still_reads),
		cmocka_unit_test(malformed_keys_are_refused),
		cmocka_unit_test(a_full_buf_gets_nothing_secret),
		cmocka_unit_test(sha256_gives_the_known_answers),
		cmocka_unit_test(bytes_are_compared_and_wiped),
		cmocka_unit_test(ids_are_readable_and_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
