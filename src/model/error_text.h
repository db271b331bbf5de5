/* SPDX-License-Identifier: MIT */
/*
 * error_text: what a model's server says of a failure, in whichever form, and what it means by it.
 * Its words are for the log alone: they may hold account data or quote the prompt. Pure.
 */
#ifndef TENANTGATE_MODEL_ERROR_TEXT_H
#define TENANTGATE_MODEL_ERROR_TEXT_H

#include <stdbool.h>

#include "tenantgate/base/slice.h"

/* What a body is, by its first byte: servers and proxies name the wrong media type. */
enum body_form {
	BODY_UNKNOWN,	/* nothing but white space so far */
	BODY_JSON,
	BODY_HTML,
	BODY_GZIP,
	BODY_OTHER,	/* an event stream, or text */
};

enum error_reason {
	REASON_OTHER,
	REASON_BUSY,	/* later it may do it */
	REASON_QUOTA,	/* the operator's: no waiting will cure it */
	REASON_LENGTH,	/* the client's: past the context length */
	REASON_FILTER,	/* the client's: refused for its content */
};

/* UTF-8 as far as the server's is, cut when longer. */
struct error_text {
	char	code[64];	/* "" when absent; may be a number */
	char	type[64];	/* likewise */
	char	inner[64];	/* Azure's innererror.code; likewise */
	char	message[240];	/* never empty: without words it says what the body is */
	bool	has_words;	/* the server's own */
};

enum body_form	 body_form(struct slice body);
/* Skips white space at the front, which some servers send to keep a connection alive. */
struct slice	 body_skip_space(struct slice body);
void		 error_text_read(struct slice body, struct error_text *);
enum error_reason	error_text_reason(const struct error_text *);

#endif
