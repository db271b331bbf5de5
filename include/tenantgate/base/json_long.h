/* SPDX-License-Identifier: MIT */
/*
 * json_long: a JSON text that is too large for memory, for a few strings of it are. jansson has a
 * string twice while it reads it; so what is long is shortened before, and read by itself, piece by
 * piece, each a string of its own to jansson.
 *
 *	{"title":"T","text":"<64 MiB>"}  -->  {"title":"T","text":"<its beginning, and a mark>"}
 *	                        \
 *	                         `--> piece, piece, ...  -->  a sink
 *
 * A shortened value is still longer than its reader takes, where that has a ceiling below what is
 * kept. One whose end is its mark is known again, whatever it is the value of. Another text could
 * have the same mark only by chance: it is random.
 *
 * The text is a mapping (base/spool.h); its pages are unloaded as they are passed. One thread at a
 * time.
 */
#ifndef TENANTGATE_BASE_JSON_LONG_H
#define TENANTGATE_BASE_JSON_LONG_H

#include "tenantgate/base/json.h"

#define JSON_LONG_STRINGS 8	/* shortened; more stay as they are */
#define JSON_LONG_NONE	  JSON_LONG_STRINGS
#define JSON_LONG_MARK	  32	/* characters; behind them one that says which */

/* Bytes, as they are written. */
struct json_long_conf {
	size_t	 string_max;	/* a value of more is shortened; a name never is */
	size_t	 string_kept;	/* about so much of it stays, which must be less by a mark */
	size_t	 rest_max;	/* of the text without what was taken out */
	size_t	 piece;		/* about so much is read at a time; 16 at least */
};

struct json_long_string {
	size_t	 at, len;	/* in the text, between its quotes */
	size_t	 kept;		/* bytes of it in the rest */
	size_t	 behind;	/* in the rest, past its mark */
};

struct json_long {
	const struct json_long_conf	*conf;	/* borrowed */
	struct slice	text;			/* borrowed */
	struct buf	rest;			/* owned */
	char		mark[JSON_LONG_MARK + 1];
	struct json_long_string	strings[JSON_LONG_STRINGS];
	unsigned	count;
};

/* Goes through the text once. False with err set: ERR_TOO_LARGE (the rest), ERR_OVERLOADED (no
 * memory). Either way json_long_free() is called, and is idempotent. */
bool	 json_long_begin(struct json_long *, const struct json_long_conf *, struct slice text,
	    struct err *);
void	 json_long_free(struct json_long *);
/* The rest as json_read_object_with_nul() reads it, of so many nodes at most. NULL with err set. */
json_t	*json_long_object(const struct json_long *, size_t nodes_max, struct err *)
	    __attribute__((warn_unused_result));
/* Which of the strings a value of that object is; JSON_LONG_NONE: it was not shortened. */
unsigned json_long_which(const struct json_long *, struct slice value);
/* What a long string stands for, piece by piece; false with err set ends it. */
typedef bool	json_long_sink_fn(void *arg, struct slice, struct err *);
/* All long strings are read, so that a broken one is found, and one of them goes to the sink;
 * JSON_LONG_NONE: none. NUL is let through. False with err set: ERR_INVALID_JSON, ERR_OVERLOADED,
 * the sink's. */
bool	 json_long_read(const struct json_long *, unsigned which, json_long_sink_fn *, void *arg,
	    struct err *);

#endif
