/* SPDX-License-Identifier: MIT */
/*
 * json: jansson, with errors that name the field, and one writer for strings.
 *
 * Readers take a borrowed object, and return true when the field is present and of the wanted type.
 * For the _opt_ forms an absent field, or null, is true as well and leaves *out untouched. On a
 * wrong type, or when a required field is absent, they set err (ERR_INVALID_FIELD, naming the
 * field) and return false.
 * Strings stay owned by the json_t. Any thread, each json_t on one thread at a time.
 */
#ifndef TENANTGATE_BASE_JSON_H
#define TENANTGATE_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"

/* Parses a text whose top is an object. Refuses depth past JSON_DEPTH_MAX, duplicate names and NUL
 * in strings: NULL, with err set. The caller owns the json_t. */
#define JSON_DEPTH_MAX	64
json_t	*json_read_object(struct slice text, struct err *) __attribute__((warn_unused_result));
/* The same, but a string's value may hold NUL: the caller looks at its length, and at its bytes
 * before they go on. */
json_t	*json_read_object_with_nul(struct slice text, struct err *)
	    __attribute__((warn_unused_result));
/* As the first, any value at the top. */
json_t	*json_read(struct slice text, struct err *) __attribute__((warn_unused_result));

/* How many nodes the tree of a JSON text would have: the value at the top, each member's and each
 * element. Reads on no further than past `max`: then the count is max + 1. Linear, builds nothing;
 * exact for what json_read() accepts. */
size_t	 json_count_nodes(struct slice text, size_t max);
/* False, with ERR_INVALID_JSON and the limit in words, when there are more than max. To be asked
 * before json_read() of a text whose sender is not trusted with more. */
bool	 json_nodes_fit(struct slice text, size_t max, struct err *)
	    __attribute__((warn_unused_result));
/* The most digits that a number of a JSON text has behind its point, were it written without an
 * exponent: 1.5e-3 has four. Linear, builds nothing; right for what json_read() accepts. */
size_t	 json_fraction_digits(struct slice text);

bool	json_get_string(const json_t *, const char *name, struct slice *out, struct err *);
bool	json_opt_string(const json_t *, const char *name, struct slice *out, struct err *);
bool	json_opt_int(const json_t *, const char *name, int64_t min, int64_t max, int64_t *out,
	    struct err *);
bool	json_opt_number(const json_t *, const char *name, double min, double max, double *out,
	    struct err *);
bool	json_opt_bool(const json_t *, const char *name, bool *out, struct err *);
bool	json_opt_array(const json_t *, const char *name, json_t **out, struct err *);
bool	json_opt_object(const json_t *, const char *name, json_t **out, struct err *);

/* Appends a quoted JSON string, whatever the bytes: controls and quotes escaped, bad UTF-8 as
 * U+FFFD, DEL and U+2028/9 as \u escapes (so that a log line is one line to every reader). */
bool	json_put_string(struct buf *, struct slice);
/* Appends a json_t in its shortest form. */
bool	json_put(struct buf *, const json_t *);
/* True when the bytes are UTF-8 without NUL (what Postgres text takes). */
bool	json_utf8_valid(struct slice);

#endif
