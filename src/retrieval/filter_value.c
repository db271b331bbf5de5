/* SPDX-License-Identifier: MIT */
/*
 * filter_value: what a metadata filter compares names with: checked, counted, and written into the
 * JSON array that is the condition's parameter.
 *
 * A fraction is stored as its sender wrote it, or with the 17 digits that jansson writes (0.1 is
 * 0.10000000000000001 then), and Postgres compares decimals. So there are two forms of a fraction
 * here too, and a comparison is with both: they are one number to whoever reads JSON.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "retrieval/filter_reader.h"
#include "tenantgate/base/json.h"

#define PLACE_NAME_MAX 32  /* bytes of one name in an error's place */
#define PLACE_MAX      320 /* of the whole: SEARCH_FILTER_DEPTH lists, a name and an operator */
#define NUMBER_SIZE    32  /* a number as text, with the NUL */
#define SCALAR	       "a string, a number, true, false or null"

/* filter.and[2].year.gte */
static void
place_write(const struct filter_place *place, char out[PLACE_MAX])
{
	char name[PLACE_NAME_MAX + 1];
	size_t used;

	out[0] = '\0';
	if (place->above != NULL)
		place_write(place->above, out);
	used = strlen(out);
	if (place->name == NULL) {
		snprintf(out + used, PLACE_MAX - used, "[%zu]", place->index);
		return;
	}
	err_text_copy(name, sizeof(name), place->name);
	snprintf(out + used, PLACE_MAX - used, "%s%s", used > 0 ? "." : "", name);
}

bool
filter_refuse(struct filter_reader *r, const struct filter_place *place, const char *wanted)
{
	char at[PLACE_MAX];

	place_write(place, at);
	err_set(r->err, ERR_INVALID_FIELD, "Field \"%s\" must be %s.", at, wanted);
	return false;
}

static bool
text_fits(struct filter_reader *r, const struct filter_place *place, struct slice text)
{
	if (memchr(text.p, '\0', text.len) != NULL)
		return filter_refuse(r, place, "without NUL");
	r->bytes += text.len;
	if (r->bytes <= SEARCH_FILTER_BYTES)
		return true;
	err_set(r->err, ERR_INVALID_FIELD,
	    "The names and strings of the filter are more than %u bytes; send fewer.",
	    SEARCH_FILTER_BYTES);
	return false;
}

/* Begins the next of the values; its index. */
static unsigned
value_begin(struct filter_reader *r)
{
	buf_putc(&r->values, r->value_count == 0 ? '[' : ',');
	return r->value_count++;
}

bool
filter_read_name(struct filter_reader *r, struct filter_node *n, struct slice name,
    const struct filter_place *place)
{
	if (!text_fits(r, place, name))
		return false;
	n->name = value_begin(r);
	json_put_string(&r->values, name);
	return true;
}

/* The fewest digits that are this number. A decimal of 15 digits survives being a double, and %g
 * drops its zeros, so none is tried with fewer, but where doubles have fewer digits themselves. */
static void
number_shortest(double number, char out[NUMBER_SIZE])
{
	for (int digits = fabs(number) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
		snprintf(out, NUMBER_SIZE, "%.*g", digits, number);
		if (strtod(out, NULL) == number)
			return;
	}
}

/* As jansson writes it. False when that is the shortest form, or the value no fraction. */
static bool
second_form(const json_t *value, char out[NUMBER_SIZE])
{
	char shortest[NUMBER_SIZE];

	if (!json_is_real(value))
		return false;
	number_shortest(json_real_value(value), shortest);
	snprintf(out, NUMBER_SIZE, "%.17g", json_real_value(value));
	return strcmp(shortest, out) != 0;
}

static void
put_scalar(struct buf *b, const json_t *value)
{
	char number[NUMBER_SIZE];

	if (json_is_string(value)) {
		json_put_string(b, slice_of(json_string_value(value), json_string_length(value)));
	} else if (json_is_real(value)) {
		number_shortest(json_real_value(value), number);
		buf_puts(b, number);
	} else {
		json_put(b, value);
	}
}

static bool
is_scalar(const json_t *value)
{
	return value != NULL && !json_is_object(value) && !json_is_array(value);
}

static bool
scalar_fits(struct filter_reader *r, const struct filter_place *place, const json_t *value)
{
	if (!is_scalar(value))
		return filter_refuse(r, place, SCALAR);
	return !json_is_string(value) ||
	    text_fits(r, place, slice_of(json_string_value(value), json_string_length(value)));
}

/* A fraction's two forms make it an "in". */
static bool
read_equal(struct filter_reader *r, struct filter_node *n, const json_t *value,
    const struct filter_place *place)
{
	char form[NUMBER_SIZE];

	if (!scalar_fits(r, place, value))
		return false;
	n->value = value_begin(r);
	if (!second_form(value, form)) {
		put_scalar(&r->values, value);
		return true;
	}
	n->op = FILTER_IN;
	buf_putc(&r->values, '[');
	put_scalar(&r->values, value);
	buf_printf(&r->values, ",%s]", form);
	return true;
}

static bool
read_list(struct filter_reader *r, struct filter_node *n, const json_t *list,
    const struct filter_place *place)
{
	char form[NUMBER_SIZE];
	json_t *value;
	size_t i;

	if (json_array_size(list) == 0)
		return filter_refuse(r, place, "an array of at least one value");
	r->listed += (unsigned)json_array_size(list);
	if (r->listed > SEARCH_FILTER_VALUES) {
		err_set(r->err, ERR_INVALID_FIELD,
		    "The filter lists more than %d values in all; send fewer.",
		    SEARCH_FILTER_VALUES);
		return false;
	}
	n->value = value_begin(r);
	json_array_foreach(list, i, value) {
		const struct filter_place at = { .above = place, .index = i };

		if (!scalar_fits(r, &at, value))
			return false;
		buf_putc(&r->values, i == 0 ? '[' : ',');
		put_scalar(&r->values, value);
		if (second_form(value, form))
			buf_printf(&r->values, ",%s", form);
	}
	buf_putc(&r->values, ']');
	return true;
}

static bool
read_bound(struct filter_reader *r, struct filter_node *n, const json_t *value,
    const struct filter_place *place)
{
	char form[NUMBER_SIZE];

	if (!json_is_string(value) && !json_is_number(value))
		return filter_refuse(r, place, "a string or a number");
	if (!scalar_fits(r, place, value))
		return false;
	n->value = value_begin(r);
	buf_puts(&r->values, "{\"a\":");
	put_scalar(&r->values, value);
	buf_puts(&r->values, ",\"b\":");
	if (second_form(value, form))
		buf_puts(&r->values, form);
	else
		put_scalar(&r->values, value);
	buf_putc(&r->values, '}');
	return true;
}

bool
filter_read_value(struct filter_reader *r, struct filter_node *n, const json_t *value,
    const struct filter_place *place)
{
	switch (n->op) {
	case FILTER_EQ:
		return read_equal(r, n, value, place);
	case FILTER_IN:
		return read_list(r, n, value, place);
	case FILTER_EXISTS:
		return json_is_boolean(value) || filter_refuse(r, place, "true or false");
	default:
		return read_bound(r, n, value, place);
	}
}
