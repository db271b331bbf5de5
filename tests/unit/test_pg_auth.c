/* SPDX-License-Identifier: MIT */
/*
 * test_pg_auth: in which order a server may ask what of a login, and how much of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "wire/pg_auth.h"

/* Messages, as the protocol frames them: 'R', a length that counts itself, the code, the rest. */
#define REQUEST(length, code, rest) "R\0\0\0" length "\0\0\0" code rest
#define ACCEPTED		    REQUEST("\x08", "\x00", "")
#define PASSWORD		    REQUEST("\x08", "\x03", "")
#define MD5			    REQUEST("\x0c", "\x05", "salt")
#define KERBEROS		    REQUEST("\x08", "\x07", "")
#define SASL			    REQUEST("\x17", "\x0a", "SCRAM-SHA-256\0\0")
#define ROUNDS			    REQUEST("\x1a", "\x0b", "r=nonce,s=salt,i=4")
#define MANY			    REQUEST("\x1b", "\x0b", "r=nonce,s=salt,i=11")
#define NEGATIVE		    REQUEST("\x1b", "\x0b", "r=nonce,s=salt,i=-1")
#define ZEROS			    "000000000000000"
#define ZEROS_MANY		    REQUEST("\x39", "\x0b", "r=nonce,s=salt,i=" ZEROS ZEROS "11")
#define NO_COUNT		    REQUEST("\x17", "\x0b", "r=nonce,s=salt,")
#define FINAL			    REQUEST("\x0e", "\x0c", "v=0000")
#define FAILED			    "E\0\0\0\x05\0"

#define BYTES(text) \
	{ \
		text, sizeof(text) - 1 \
	}

struct message {
	const char *bytes;
	size_t len;
};

/* All but the last are passed. */
static const struct {
	struct message messages[5];
	enum pg_auth_verdict last;
	const char *why;
} logins[] = {
	{ { BYTES(ACCEPTED) }, PG_AUTH_PASS, "" },
	{ { BYTES(FAILED) }, PG_AUTH_PASS, "" },
	{ { BYTES(PASSWORD), BYTES(ACCEPTED) }, PG_AUTH_PASS, "" },
	{ { BYTES(MD5), BYTES(FAILED) }, PG_AUTH_PASS, "" },
	{ { BYTES(SASL), BYTES(ROUNDS), BYTES(FINAL), BYTES(ACCEPTED) }, PG_AUTH_PASS, "" },
	{ { BYTES(SASL), BYTES(ROUNDS), BYTES(FAILED) }, PG_AUTH_PASS, "" },
	{ { BYTES(SASL), BYTES(NO_COUNT) }, PG_AUTH_PASS, "" },
	{ { BYTES(SASL), BYTES(MANY) }, PG_AUTH_REFUSED,
	    "the server asks for 11 iterations of SCRAM, and max_scram_iterations is 10" },
	{ { BYTES(SASL), BYTES(NEGATIVE) }, PG_AUTH_REFUSED,
	    "the server asks for -1 iterations of SCRAM, and max_scram_iterations is 10" },
	/* libpq reads past the zeros. */
	{ { BYTES(SASL), BYTES(ZEROS_MANY) }, PG_AUTH_REFUSED,
	    "the server asks for 00000000000000000000 iterations of SCRAM, and "
	    "max_scram_iterations is 10" },
	{ { BYTES("v\0\0\0\x0c\0\x03\0\0\0\0\0\0") }, PG_AUTH_REFUSED,
	    "the server speaks another version of the protocol" },
	{ { BYTES(KERBEROS) }, PG_AUTH_REFUSED,
	    "the server asks for Kerberos, which is not supported" },
	/* Behind another message the rounds might be read by libpq unseen. */
	{ { BYTES(SASL), BYTES(MD5 MANY) }, PG_AUTH_REFUSED,
	    "the server asks for authentication out of order" },
	{ { BYTES(PASSWORD), BYTES(SASL) }, PG_AUTH_REFUSED,
	    "the server asks for authentication out of order" },
	{ { BYTES(ROUNDS) }, PG_AUTH_REFUSED, "the server asks for authentication out of order" },
	{ { BYTES(SASL), BYTES(ROUNDS), BYTES(MANY) }, PG_AUTH_REFUSED,
	    "the server asks for authentication out of order" },
	/* Accepted without having shown that it knows the password. */
	{ { BYTES(SASL), BYTES(ROUNDS), BYTES(ACCEPTED) }, PG_AUTH_REFUSED,
	    "the server asks for authentication out of order" },
};

static void
a_login_is_asked_in_order_and_within_bounds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++) {
		const struct message *m = logins[i].messages;
		struct pg_auth a = { .rounds_max = 10 };

		for (; m[1].bytes != NULL; m++)
			assert_int_equal(pg_auth_look(&a, m->bytes, m->len), PG_AUTH_PASS);
		assert_int_equal(pg_auth_look(&a, m->bytes, m->len), logins[i].last);
		assert_string_equal(a.why, logins[i].why);
	}
}

/* However it is split, and nothing is decided before it is whole. */
static void
a_part_of_a_message_is_waited_for(void **state)
{
	static const char many[] = MANY;
	struct pg_auth a = { .rounds_max = 10, .stage = PG_AUTH_SASL };

	(void)state;
	for (size_t len = 1; len < sizeof(many) - 1; len++)
		assert_int_equal(pg_auth_look(&a, many, len), PG_AUTH_PARTIAL);
	assert_int_equal(pg_auth_look(&a, many, sizeof(many) - 1), PG_AUTH_REFUSED);
}

/* libpq refuses it itself. */
static void
what_is_no_request_is_passed_on(void **state)
{
	struct pg_auth a = { .rounds_max = 10 };

	(void)state;
	assert_int_equal(pg_auth_look(&a, "R\x7f\0\0\0\0\0\0\x0b", 9), PG_AUTH_PASS);
	a.stage = PG_AUTH_SASL;
	assert_int_equal(pg_auth_look(&a, "HTTP", 4), PG_AUTH_PASS);
	assert_int_equal(a.stage, PG_AUTH_OVER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_login_is_asked_in_order_and_within_bounds),
		cmocka_unit_test(a_part_of_a_message_is_waited_for),
		cmocka_unit_test(what_is_no_request_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
