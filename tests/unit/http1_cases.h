/* SPDX-License-Identifier: MIT */
/*
 * http1_cases: our own requests, one or more for each rule of RFC 9112 (and of RFC 9110, where the
 * parser enforces it) that src/http/parse*.c keeps. Each names the section its rule is from, and
 * breaks, or just keeps, that one rule: switch the rule off, and a case fails. They are written
 * for this project; what other projects collected is read by test_http_corpora.
 *
 * What is not the parser's is elsewhere: the ceiling of a body (413) and the invitation of one
 * (100) in tests/story/test_http_refusal.c and test_http_server.c.
 */
#ifndef TESTS_HTTP1_CASES_H
#define TESTS_HTTP1_CASES_H

#include "tenantgate/base/slice.h"

/* The ceilings they are judged under: small, so that a case of too much can be read. */
#define HTTP1_HEAD_MAX		512
#define HTTP1_TARGET_MAX	64
#define HTTP1_FIELDS_MAX	8

struct http1_case {
	const char	*name;		/* NULL ends a list */
	const char	*section;	/* of RFC 9112 when none is named */
	struct slice	 bytes;
	int		 status;	/* 0: accepted. Else refused with it, and closed. */
	/*
	 * What was understood, a line a request:
	 *	METHOD PATH[?QUERY] keep|close[ continue] | NAME: VALUE ... [|| BODY]
	 * "..." at the end: the bytes end inside of it. NULL when refused: nothing of it is passed
	 * on.
	 */
	const char	*request;
};

extern const struct http1_case http1_line_cases[];	/* request line, target, version */
extern const struct http1_case http1_field_cases[];	/* fields, Host, Expect, Connection */
extern const struct http1_case http1_body_cases[];	/* Content-Length, Transfer-Encoding */
extern const struct http1_case http1_chunk_cases[];	/* chunks, extensions, trailers */

#define ACCEPTED(name, section, bytes, request) \
	{ \
		name, section, SLICE_LIT(bytes), 0, request \
	}
#define REFUSED(status, name, section, bytes) \
	{ \
		name, section, SLICE_LIT(bytes), status, NULL \
	}
#define LAST_CASE \
	{ \
		.name = NULL \
	}

#define HOST	"Host: x\r\n"
#define GET	"GET / HTTP/1.1\r\n" HOST
#define POST	"POST /echo HTTP/1.1\r\n" HOST

/* Runs of letters, for the ceilings. */
#define X8	"aaaaaaaa"
#define X64	X8 X8 X8 X8 X8 X8 X8 X8
#define X512	X64 X64 X64 X64 X64 X64 X64 X64
#define X4096	X512 X512 X512 X512 X512 X512 X512 X512
#define X7(x)	x x x x x x x

#endif
