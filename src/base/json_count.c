/* SPDX-License-Identifier: MIT */
/*
 * json_count.c: how many values a JSON text holds, and digits its numbers, found before a tree of
 * it is built: a node of jansson's takes some 100 bytes and as many nanoseconds, a byte of this
 * scan about one.
 *
 * A value begins at the text's first byte, behind each comma, and behind each opening bracket that
 * is not closed at once; only strings, in which none of these count, have to be skipped as wholes.
 * Whether the text is JSON at all is for the parser to find; of any text that it accepts the number
 * is exact, and of any other it has built fewer by the time that it notices.
 */
#include "tenantgate/base/json.h"

#include "tenantgate/base/run.h"

/* Past a string; `at` is behind its opening quote. Past the end when it has no closing one. */
static size_t
string_end(struct slice text, size_t at)
{
	while ((at += run_length(text.p + at, text.len - at, RUN_STRING)) < text.len) {
		char c = text.p[at++];

		if (c == '"')
			return at;
		if (c == '\\' && at < text.len)
			at++;
	}
	return at;
}

static bool
is_json_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

size_t
json_count_nodes(struct slice text, size_t max)
{
	size_t count = 0, at = 0;
	bool begins = true; /* what comes next is a value, unless it closes an empty bracket */

	while (at < text.len && count <= max) {
		char c = text.p[at++];

		if (is_json_space(c))
			continue;
		count += begins && c != ']' && c != '}';
		begins = c == ',' || c == '{' || c == '[';
		if (c == '"')
			at = string_end(text, at);
	}
	return count;
}

bool
json_nodes_fit(struct slice text, size_t max, struct err *err)
{
	if (json_count_nodes(text, max) <= max)
		return true;
	err_set(err, ERR_INVALID_JSON,
	    "The JSON has more than %zu values, members and elements together; send fewer.", max);
	return false;
}

#define EXPONENT_MAX 100000000 /* far past any that can be stored */

static bool
is_json_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* How many digits stand at *at, and past them. */
static size_t
take_digits(struct slice text, size_t *at)
{
	size_t from = *at;

	while (*at < text.len && is_json_digit(text.p[*at]))
		++*at;
	return *at - from;
}

/* "e-3" is -3; what is no exponent is 0. */
static long
take_exponent(struct slice text, size_t *at)
{
	bool is_negative;
	long n = 0;

	if (*at >= text.len || (text.p[*at] != 'e' && text.p[*at] != 'E'))
		return 0;
	++*at;
	is_negative = *at < text.len && text.p[*at] == '-';
	*at += *at < text.len && (text.p[*at] == '-' || text.p[*at] == '+');
	for (; *at < text.len && is_json_digit(text.p[*at]); ++*at)
		n = n < EXPONENT_MAX ? n * 10 + (text.p[*at] - '0') : n;
	return is_negative ? -n : n;
}

/* Of the number at *at, and past it. */
static size_t
take_fraction_digits(struct slice text, size_t *at)
{
	long fraction = 0, exponent;

	take_digits(text, at);
	if (*at < text.len && text.p[*at] == '.') {
		++*at;
		fraction = (long)take_digits(text, at);
	}
	exponent = take_exponent(text, at);
	return fraction > exponent ? (size_t)(fraction - exponent) : 0;
}

size_t
json_fraction_digits(struct slice text)
{
	size_t most = 0, at = 0;

	while (at < text.len) {
		char c = text.p[at];
		size_t digits = 0;

		if (is_json_digit(c))
			digits = take_fraction_digits(text, &at);
		else
			at = c == '"' ? string_end(text, at + 1) : at + 1;
		if (digits > most)
			most = digits;
	}
	return most;
}
