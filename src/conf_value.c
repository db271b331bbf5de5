/* SPDX-License-Identifier: MIT */
/*
 * conf_value: puts the text of a value into the member that its key names, by the key's type. An
 * error names the key, what it takes and, unless it may be a secret, what it was given.
 *
 * Members are written by offset and size, with memcpy: the table is checked by the compiler only as
 * far as the member exists, so each type asserts the sizes it can write.
 */
#include "conf_internal.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "tenantgate/wire/url.h"

#define WORDS_SHOWN_MAX 800 /* bytes of the words that a key takes, in its error */

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first: a bound is shown in the first one that divides it ("1h", not "3600s"). A size
 * or a time without its unit is refused: 30 may be meant in seconds or in milliseconds. */
static const struct unit sizes[] = {
	{ "GiB", 1ull << 30 },
	{ "MiB", 1ull << 20 },
	{ "KiB", 1ull << 10 },
	{ "B", 1 },
	{ NULL, 0 },
};

static const struct unit durations[] = {
	{ "d", 86400000000ull },
	{ "h", 3600000000ull },
	{ "m", 60000000ull },
	{ "s", 1000000ull },
	{ "ms", 1000ull },
	{ "us", 1 },
	{ NULL, 0 },
};

static const struct unit plain[] = {
	{ "", 1 },
	{ NULL, 0 },
};

static const struct unit *
conf_units(enum conf_type type)
{
	if (type == CONF_SIZE)
		return sizes;
	return type == CONF_DURATION ? durations : plain;
}

/* A bound as one would write it. */
static void
show_number(enum conf_type type, uint64_t value, char *out, size_t size)
{
	const struct unit *u = conf_units(type);

	while (value % u->factor != 0 || (value == 0 && u[1].name != NULL))
		u++;
	snprintf(out, size, "%" PRIu64 "%s", value / u->factor, value == 0 ? "" : u->name);
}

/* Digits, then one unit, with or without blanks between them. A zero needs no unit. False for
 * anything else, and for what does not fit in 64 bits. */
static bool
parse_units(struct slice text, const struct unit *units, uint64_t *out)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; i < text.len && isdigit((unsigned char)text.p[i]); i++) {
		if (value > (UINT64_MAX - 9) / 10)
			return false;
		value = value * 10 + (uint64_t)(text.p[i] - '0');
	}
	if (i == 0)
		return false;
	text = slice_trim(slice_of(text.p + i, text.len - i));
	*out = 0;
	if (value == 0 && text.len == 0)
		return true;
	for (; units->name != NULL; units++)
		if (slice_is(text, units->name))
			return !__builtin_mul_overflow(value, units->factor, out);
	return false;
}

/* uint16_t (a port), unsigned and enums, or uint64_t and size_t. The table's bounds fit its
 * member. */
static void
put_unsigned(void *base, const struct conf_key *k, uint64_t value)
{
	void *member = (char *)base + k->offset;
	uint16_t two = (uint16_t)value;
	uint32_t four = (uint32_t)value;

	if (k->size == sizeof(two))
		memcpy(member, &two, sizeof(two));
	else if (k->size == sizeof(four))
		memcpy(member, &four, sizeof(four));
	else {
		assert(k->size == sizeof(value));
		memcpy(member, &value, sizeof(value));
	}
}

static const char *
kind_of_number(enum conf_type type)
{
	if (type == CONF_SIZE)
		return "a size (B, KiB, MiB, GiB)";
	return type == CONF_DURATION ? "a time (us, ms, s, m, h, d)" : "a number";
}

static bool
store_number(struct conf_reading *r, const struct conf_place *at, void *base,
    const struct conf_key *k, struct slice text)
{
	char least[32], most[32];
	uint64_t value;

	if (parse_units(text, conf_units(k->type), &value) && value >= k->min && value <= k->max) {
		put_unsigned(base, k, value);
		return true;
	}
	show_number(k->type, k->min, least, sizeof(least));
	show_number(k->type, k->max, most, sizeof(most));
	conf_error(r, at, "%s takes %s from %s to %s, not \"%.*s\".", k->name,
	    kind_of_number(k->type), least, most, SLICE_ARG(text));
	return false;
}

static bool
store_switch(struct conf_reading *r, const struct conf_place *at, void *base,
    const struct conf_key *k, struct slice text)
{
	bool on = slice_is(text, "on") || slice_is(text, "yes") || slice_is(text, "true") ||
	    slice_is(text, "1");
	bool off = slice_is(text, "off") || slice_is(text, "no") || slice_is(text, "false") ||
	    slice_is(text, "0");

	assert(k->size == sizeof(bool));
	if (!on && !off) {
		conf_error(r, at, "%s must be on or off, not \"%.*s\".", k->name, SLICE_ARG(text));
		return false;
	}
	memcpy((char *)base + k->offset, &on, sizeof(on));
	return true;
}

/* "local, open or closed". Lists of names (languages) are long: what a line has no room for is left
 * out. */
static void
list_words(const struct conf_word *words, struct buf *out)
{
	for (const struct conf_word *w = words; w->word != NULL; w++)
		buf_printf(out, "%s%s", w == words ? "" : (w[1].word == NULL ? " or " : ", "),
		    w->word);
}

/* The member is an enum, an int, or a bool that has two words of its own (lazy, explicit). */
static bool
store_word(struct conf_reading *r, const struct conf_place *at, void *base,
    const struct conf_key *k, struct slice text)
{
	struct buf all;

	for (const struct conf_word *w = k->words; w->word != NULL; w++) {
		if (!slice_is(text, w->word))
			continue;
		if (k->size == sizeof(bool))
			*((bool *)((char *)base + k->offset)) = w->value != 0;
		else
			put_unsigned(base, k, (uint64_t)w->value);
		return true;
	}
	buf_init(&all, WORDS_SHOWN_MAX);
	list_words(k->words, &all);
	conf_error(r, at, "%s must be %.*s, not \"%.*s\".", k->name, SLICE_ARG(buf_view(&all)),
	    SLICE_ARG(text));
	buf_free(&all);
	return false;
}

/* schemes: "http https". Schemes are compared without case (RFC 3986, section 3.1). */
static bool
scheme_is_among(struct slice text, const char *schemes)
{
	while (*schemes != '\0') {
		size_t n = strcspn(schemes, " ");

		if (text.len > n + 3 && strncasecmp(text.p, schemes, n) == 0 &&
		    memcmp(text.p + n, "://", 3) == 0)
			return true;
		schemes += n + (schemes[n] == ' ');
	}
	return false;
}

/* No error repeats the text of a URL, for it may hold a password. Control characters would be a
 * way into the request line of what the URL is used for. A Postgres URL is read when the whole file
 * is known (conf.c). */
static bool
check_url(struct conf_reading *r, const struct conf_place *at, const struct conf_key *k,
    struct slice text)
{
	struct url_parts parts = { 0 };
	struct err err = { 0 };
	bool good = true;

	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f) {
			conf_error(r, at,
			    "%s holds a blank or a control character; percent-encode it (a blank "
			    "is %%20).",
			    k->name);
			return false;
		}
	}
	if (text.len > 0 && !scheme_is_among(text, k->schemes)) {
		conf_error(r, at, "%s must be a URL that starts with %.*s://.", k->name,
		    (int)strcspn(k->schemes, " "), k->schemes);
		return false;
	}
	if (text.len > 0 && !slice_starts(slice_str(k->schemes), "postgres"))
		good = url_read(text, &parts, &err);
	if (!good)
		conf_error(r, at, "%s: %s", k->name, err.detail);
	url_free(&parts);
	return good;
}

/* Strings, secrets and URLs. The conf owns the copy; the member borrows it. */
static bool
store_string(struct conf_reading *r, const struct conf_place *at, void *base,
    const struct conf_key *k, struct slice text)
{
	const char *kept = NULL;

	if (text.len == 0 && k->empty == CONF_EMPTY_REFUSED) {
		conf_error(r, at, "%s must not be empty.", k->name);
		return false;
	}
	if (memchr(text.p, '\0', text.len) != NULL) {
		conf_error(r, at, "%s holds a NUL byte; remove it.", k->name);
		return false;
	}
	if (k->type == CONF_URL && !check_url(r, at, k, text))
		return false;
	/* The modules put paths behind a base URL: "http://h/v1/" + "/embeddings". A slash at the
	 * end of a query is the query's. */
	while (k->type == CONF_URL && text.len > 0 && text.p[text.len - 1] == '/' &&
	    memchr(text.p, '?', text.len) == NULL)
		text.len--;
	if (text.len > 0 || k->empty != CONF_EMPTY_IS_NULL)
		kept = conf_keep(r->conf, text);
	memcpy((char *)base + k->offset, &kept, sizeof(kept));
	return true;
}

bool
conf_store(struct conf_reading *r, const struct conf_place *at, void *base,
    const struct conf_key *k, struct slice text)
{
	switch (k->type) {
	case CONF_NUMBER:
	case CONF_SIZE:
	case CONF_DURATION:
		return store_number(r, at, base, k, text);
	case CONF_SWITCH:
		return store_switch(r, at, base, k, text);
	case CONF_WORD:
		return store_word(r, at, base, k, text);
	default:
		return store_string(r, at, base, k, text);
	}
}
