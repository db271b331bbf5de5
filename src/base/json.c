/* SPDX-License-Identifier: MIT */
/*
 * json.c: reading JSON with jansson. The depth of a text is bounded before jansson sees it; fields
 * are read by functions that name the field they refuse.
 */
#include "tenantgate/base/json.h"

#include <math.h>

#include "base/json_load.h"
#include "base/json_memory.h"

/* jansson parses and frees by recursion: a body of nothing but '[' would use up a worker's stack.
 * Brackets inside strings do not count. Whether the text is JSON at all is for jansson to find. */
static bool
json_depth_fits(struct slice text)
{
	size_t depth = 0, i;
	bool quoted = false;

	for (i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH_MAX)
				return false;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

const char *
json_fault_reason(const json_error_t *fault)
{
	switch (json_error_code(fault)) {
	case json_error_premature_end_of_input:
		return "it ends too early";
	case json_error_end_of_input_expected:
		return "something follows the value";
	case json_error_invalid_utf8:
		return "it is not UTF-8";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "a string holds a NUL";
	case json_error_duplicate_key:
		return "an object names a field twice";
	case json_error_numeric_overflow:
		return "a number is too large";
	default:
		return "the syntax is wrong";
	}
}

/* Duplicate names are refused: RFC 8259 section 4 lets readers differ in which of the two they
 * take, so what one program has checked another might read differently. */
json_t *
json_load_text(struct slice text, size_t more_flags, json_error_t *fault, struct err *err)
{
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | more_flags;
	json_t *value;
	bool no_memory;

	if (!json_depth_fits(text)) {
		err_set(err, ERR_INVALID_JSON,
		    "JSON is nested deeper than %d levels; send it with fewer.", JSON_DEPTH_MAX);
		return NULL;
	}
	/* DECODE_ANY: a value of any type at the top; json_read_object() is stricter. */
	if (!json_memory_begin(text.len)) {
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the JSON");
		return NULL;
	}
	value = json_loadb(text.len == 0 ? "" : text.p, text.len, flags, fault);
	no_memory = json_memory_end();
	if (value == NULL && no_memory)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the JSON");
	return value;
}

static json_t *
json_parse(struct slice text, size_t more_flags, struct err *err)
{
	json_error_t fault;
	json_t *value = json_load_text(text, more_flags, &fault, err);

	if (value == NULL && !err_is(err))
		err_set(err, ERR_INVALID_JSON, "JSON cannot be read: line %d, column %d: %s.",
		    fault.line, fault.column, json_fault_reason(&fault));
	return value;
}

json_t *
json_read(struct slice text, struct err *err)
{
	return json_parse(text, 0, err);
}

static json_t *
json_parse_object(struct slice text, size_t more_flags, struct err *err)
{
	json_t *value = json_parse(text, more_flags, err);

	if (value == NULL || json_is_object(value))
		return value;
	err_set(err, ERR_INVALID_JSON, "The top of the JSON must be an object.");
	json_decref(value);
	return NULL;
}

json_t *
json_read_object(struct slice text, struct err *err)
{
	return json_parse_object(text, 0, err);
}

json_t *
json_read_object_with_nul(struct slice text, struct err *err)
{
	return json_parse_object(text, JSON_ALLOW_NUL, err);
}

/* The field, or NULL when it is absent or null (which mean the same to the _opt_ forms). */
static json_t *
json_field(const json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	return json_is_null(value) ? NULL : value;
}

/* Always false, to be returned. `wanted`: "a string". */
static bool
json_refuse(struct err *err, const char *name, const char *wanted)
{
	err_set(err, ERR_INVALID_FIELD, "Field \"%s\" must be %s.", name, wanted);
	return false;
}

/* The slice points into the json_t, and may hold any UTF-8; NUL only where that was allowed. */
bool
json_opt_string(const json_t *object, const char *name, struct slice *out, struct err *err)
{
	json_t *value = json_field(object, name);

	if (value == NULL)
		return true;
	if (!json_is_string(value))
		return json_refuse(err, name, "a string");
	*out = slice_of(json_string_value(value), json_string_length(value));
	return true;
}

bool
json_get_string(const json_t *object, const char *name, struct slice *out, struct err *err)
{
	if (json_field(object, name) == NULL) {
		err_set(err, ERR_INVALID_FIELD, "Field \"%s\" is required.", name);
		return false;
	}
	return json_opt_string(object, name, out, err);
}

/* 1.0 is refused too: to jansson it is a real number. */
bool
json_opt_int(const json_t *object, const char *name, int64_t min, int64_t max, int64_t *out,
    struct err *err)
{
	json_t *value = json_field(object, name);
	int64_t n;

	if (value == NULL)
		return true;
	if (!json_is_integer(value))
		return json_refuse(err, name, "a whole number");
	n = json_integer_value(value);
	if (n < min || n > max) {
		err_set(err, ERR_INVALID_FIELD, "Field \"%s\" must be from %lld to %lld.", name,
		    (long long)min, (long long)max);
		return false;
	}
	*out = n;
	return true;
}

bool
json_opt_number(const json_t *object, const char *name, double min, double max, double *out,
    struct err *err)
{
	json_t *value = json_field(object, name);
	double n;

	if (value == NULL)
		return true;
	if (!json_is_number(value))
		return json_refuse(err, name, "a number");
	n = json_number_value(value);
	/* NaN would pass both comparisons. */
	if (!isfinite(n) || n < min || n > max) {
		err_set(err, ERR_INVALID_FIELD, "Field \"%s\" must be from %g to %g.", name, min,
		    max);
		return false;
	}
	*out = n;
	return true;
}

bool
json_opt_bool(const json_t *object, const char *name, bool *out, struct err *err)
{
	json_t *value = json_field(object, name);

	if (value == NULL)
		return true;
	if (!json_is_boolean(value))
		return json_refuse(err, name, "true or false");
	*out = json_is_true(value);
	return true;
}

bool
json_opt_array(const json_t *object, const char *name, json_t **out, struct err *err)
{
	json_t *value = json_field(object, name);

	if (value == NULL)
		return true;
	if (!json_is_array(value))
		return json_refuse(err, name, "an array");
	*out = value;
	return true;
}

bool
json_opt_object(const json_t *object, const char *name, json_t **out, struct err *err)
{
	json_t *value = json_field(object, name);

	if (value == NULL)
		return true;
	if (!json_is_object(value))
		return json_refuse(err, name, "an object");
	*out = value;
	return true;
}
