/* SPDX-License-Identifier: MIT */
/*
 * multipart: a whole multipart/form-data body (RFC 7578; RFC 2046, 5.1) into its parts. Pure; the
 * parts are ranges of the body, in which base64 and names are decoded where they lie. Strict: CRLF
 * lines, one Content-Disposition with a name on every part, the closing boundary, no encoding but
 * base64. What a lenient reader repairs, a scanner in front of us may have repaired otherwise, and
 * let a file through that it did not see.
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
	struct slice	encoding;	/* Content-Transfer-Encoding, undone; p NULL when absent */
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
 * parts. The boundary is one that multipart_boundary() gave. */
bool		multipart_read(char *body, size_t len, struct slice boundary, struct parts *,
		    struct err *);

#endif
