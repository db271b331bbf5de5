/* SPDX-License-Identifier: MIT */
/*
 * fuzz_pg_auth: what a database's server sends during a login, from the first message on. A verdict
 * depends on whole messages alone, nothing behind them is read, and no rounds of SCRAM are let
 * through that libpq would read as more than the most.
 *
 * sources: src/wire/pg_auth.c
 */
#include <string.h>

#include "tests/fuzz/fuzz_check.h"
#include "wire/pg_auth.h"

#define ROUNDS_MOST 4096
#define HEAD	    9 /* bytes: type, length, code */
#define TEXT_MAX    2100

/* In a block of its own: ASan sees a read past it. */
static enum pg_auth_verdict
look_at_copy(struct pg_auth *a, const uint8_t *bytes, size_t n)
{
	char *copy = malloc(n);
	enum pg_auth_verdict verdict;

	memcpy(copy, bytes, n);
	verdict = pg_auth_look(a, copy, n);
	free(copy);
	return verdict;
}

static size_t
message_length(const uint8_t *p)
{
	return 1 + ((size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4]);
}

/* As libpq's fe-auth-scram.c takes one: NAME=VALUE up to a comma or the end. */
static char *
scram_value(char **at, char name)
{
	char *value = *at + 2;

	if ((*at)[0] != name || (*at)[1] != '=')
		return NULL;
	*at = value + strcspn(value, ",");
	if (**at == ',')
		*(*at)++ = '\0';
	return value;
}

/* The rounds as libpq would count them; 0: it refuses the message. */
static int
libpq_rounds(const uint8_t *text, size_t n)
{
	char copy[TEXT_MAX + 1], *at = copy, *rounds, *end;
	long number;

	if (n == 0 || n > TEXT_MAX || memchr(text, '\0', n) != NULL)
		return 0;
	memcpy(copy, text, n);
	copy[n] = '\0';
	if (scram_value(&at, 'r') == NULL || scram_value(&at, 's') == NULL)
		return 0;
	rounds = scram_value(&at, 'i');
	if (rounds == NULL || *at != '\0')
		return 0;
	number = strtol(rounds, &end, 10);
	return *end != '\0' ? 0 : (int)number;
}

static void
check_pieces(const struct pg_auth *before, const struct pg_auth *after,
    enum pg_auth_verdict verdict, const uint8_t *bytes, size_t whole)
{
	for (size_t n = 1; n < whole; n += n < 16 ? 1 : 31) {
		struct pg_auth a = *before;
		enum pg_auth_verdict of_piece = look_at_copy(&a, bytes, n);

		fuzz_check(of_piece == PG_AUTH_PARTIAL ||
		    (of_piece == verdict && a.stage == after->stage));
	}
}

static void
check_verdict(const struct pg_auth *before, const struct pg_auth *after,
    enum pg_auth_verdict verdict, const uint8_t *bytes, size_t n)
{
	size_t whole = n >= HEAD ? message_length(bytes) : n;

	fuzz_check((verdict == PG_AUTH_REFUSED) == (after->why[0] != '\0'));
	fuzz_check(memchr(after->why, '\0', sizeof(after->why)) != NULL);
	if (verdict == PG_AUTH_PARTIAL) {
		fuzz_check(after->stage == before->stage && (n < HEAD || whole > n));
		return;
	}
	check_pieces(before, after, verdict, bytes, whole < n ? whole : n);
	if (before->stage == PG_AUTH_SASL && after->stage == PG_AUTH_PROOF &&
	    verdict == PG_AUTH_PASS)
		fuzz_check(libpq_rounds(bytes + HEAD, whole - HEAD) <= ROUNDS_MOST);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct pg_auth a = { .rounds_max = ROUNDS_MOST };
	enum pg_auth_verdict verdict = PG_AUTH_PASS;

	while (n > 0 && a.stage != PG_AUTH_OVER && verdict == PG_AUTH_PASS) {
		struct pg_auth before = a;
		size_t whole = n >= HEAD ? message_length(bytes) : n;

		verdict = look_at_copy(&a, bytes, n);
		check_verdict(&before, &a, verdict, bytes, n);
		whole = whole < n ? whole : n;
		bytes += whole;
		n -= whole;
	}
	return 0;
}
