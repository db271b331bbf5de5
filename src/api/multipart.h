/* SPDX-License-Identifier: MIT */
/*
 * multipart: a whole multipart/form-data body (RFC 7578; RFC 2046, 5.1) into its parts. The parts
 * are ranges of the body, in which names are decoded where they lie, and base64 too unless the body
 * is a mapping (base/spool.h), whose pages that would make memory. Strict: CRLF lines, one
 * Content-Disposition with a name on every part, the closing boundary, no encoding but base64. What
 * a lenient reader repairs, a scanner in front of us may have repaired otherwise, and let a file
 * through that it did not see.
 */
#ifndef API_MULTIPART_H
#define API_MULTIPART_H

#include <stdbool.h>

#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"

#define MULTIPART_PARTS_MAX	32	/* files and fields */
#define MULTIPART_HEADERS_MAX	4096	/* bytes of one part's header section */

struct part {
	struct slice	name;		/* of the form's field; never absent */
	struct slice	file_name;	/* p NULL when the part is no file */
	struct slice	content_type;	/* p NULL when absent */
	struct slice	encoding;	/* Content-Transfer-Encoding; p NULL when absent */
	bool		is_base64;	/* the bytes still are, as they came */
	struct slice	bytes;
};

struct parts {
	struct part	items[MULTIPART_PARTS_MAX];
	unsigned	count;
};

/* The boundary parameter of a Content-Type value, a range of it; p NULL when absent or not 1 to 70
 * bytes of RFC 2046's bchars. */
struct slice	multipart_boundary(struct slice content_type);
/* False with err set (ERR_BAD_REQUEST). The body is rewritten, either way; it must outlive the
 * parts. The boundary is one that multipart_boundary() gave. The pages of a mapping are unloaded as
 * they are passed. */
bool		multipart_read(char *body, size_t len, bool is_mapped, struct slice boundary,
		    struct parts *, struct err *);

/* Takes the bytes of a part as they are decoded, piece by piece; false with err set ends it. */
typedef bool	multipart_sink_fn(void *arg, struct slice, struct err *);
/* The bytes that base64 stands for (RFC 2045, 6.8). What the sink has got may be written over the
 * text. False with err set: ERR_BAD_REQUEST, or the sink's. */
bool		multipart_base64(struct slice text, bool is_mapped, multipart_sink_fn *, void *arg,
		    struct err *);

#endif
