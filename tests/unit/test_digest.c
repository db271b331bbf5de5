/* SPDX-License-Identifier: MIT */
/*
 * test_digest: known answers of SHA-256 and HMAC; bytes compared and wiped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tenantgate/base/digest.h"
#include "tenantgate/base/secret.h"

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

/* RFC 4231, cases 1, 2 and 6; RFC 2104 knows no key too short. */
static void
hmac_gives_the_known_answers(void **state)
{
	char key[131];
	const struct {
		struct slice key;
		const char *in, *begins;
	} rows[] = {
		{ slice_of(key, 20), "Hi There", "\xb0\x34\x4c\x61\xd8\xdb\x38\x53" },
		{ slice_str("Jefe"), "what do ya want for nothing?",
		    "\x5b\xdc\xc1\x46\xbf\x60\x75\x4e" },
		{ slice_of(NULL, 0), "", "\xb6\x13\x67\x9a\x08\x14\xd9\xec" },
	};
	uint8_t raw[SHA256_SIZE];
	size_t i;

	(void)state;
	memset(key, 0x0b, sizeof(key));
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hmac_sha256(rows[i].key, slice_str(rows[i].in), raw);
		assert_memory_equal(raw, rows[i].begins, 8);
	}
	memset(key, 0xaa, sizeof(key));
	hmac_sha256(slice_of(key, sizeof(key)),
	    slice_str("Test Using Larger Than Block-Size Key - Hash Key First"), raw);
	assert_memory_equal(raw, "\x60\xe4\x31\x59\x1e\xe0\xb6\x7f", 8);
}

static void
bytes_are_compared_and_wiped(void **state)
{
	char text[] = "secret";
	struct buf b;

	(void)state;
	assert_true(bytes_equal_ct("abc", "abc", 3));
	assert_false(bytes_equal_ct("abc", "abd", 3));
	assert_true(bytes_equal_ct(NULL, NULL, 0));
	bytes_wipe(text, 6);
	assert_memory_equal(text, "\0\0\0\0\0\0", 6);
	buf_init(&b, 64);
	buf_wipe(&b);
	assert_true(buf_puts(&b, "secret"));
	buf_wipe(&b);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.max, 64);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_known_answers),
		cmocka_unit_test(hmac_gives_the_known_answers),
		cmocka_unit_test(bytes_are_compared_and_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
