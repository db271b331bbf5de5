/* SPDX-License-Identifier: MIT */
/*
 * http_verdict: what the parser makes of some bytes, however they are cut. Shared by the parser's
 * tests and its fuzz target. Everything is compared: two verdicts are the same message or none.
 */
#ifndef TESTS_HTTP_VERDICT_H
#define TESTS_HTTP_VERDICT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/parse.h"

#define VERDICT_FIELDS	100

struct verdict {
	enum err_code	code;		/* ERR_NONE: nothing was refused */
	unsigned	messages;	/* whole ones */
	bool		partial;	/* the bytes end inside a message */
	bool		closed;		/* the last message ended the connection */
	uint64_t	body_bytes;
	uint64_t	hash;		/* of heads and bodies */
	struct err	err;
};

struct verdict_parser {
	struct parse		parse;
	struct buf		head, line;
	struct parse_field	fields[VERDICT_FIELDS];
	struct verdict		v;
};

static inline void
verdict_hash(struct verdict *v, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		v->hash = (v->hash ^ (unsigned char)s.p[i]) * 1099511628211u;
}

static inline void
verdict_head(struct verdict_parser *d)
{
	struct parse *p = &d->parse;

	verdict_hash(&d->v, parse_slice(p, p->method));
	verdict_hash(&d->v, parse_path(p));
	verdict_hash(&d->v, parse_slice(p, p->query));
	for (unsigned i = 0; i < p->field_count; i++) {
		verdict_hash(&d->v, parse_slice(p, p->fields[i].name));
		verdict_hash(&d->v, parse_slice(p, p->fields[i].value));
	}
}

/* False when no more bytes are wanted. */
static inline bool
verdict_feed(struct verdict_parser *d, struct slice in)
{
	struct slice data;

	for (;;) {
		switch (parse_feed(&d->parse, &in, &data)) {
		case PARSE_HEAD:
			verdict_head(d);
			break;
		case PARSE_DATA:
			d->v.body_bytes += data.len;
			verdict_hash(&d->v, data);
			break;
		case PARSE_DONE:
			d->v.messages++;
			d->v.closed = !parse_persists(&d->parse);
			if (d->v.closed)
				return false;
			parse_next(&d->parse);
			break;
		case PARSE_MORE:
			return true;
		case PARSE_ERROR:
			d->v.code = d->parse.err.code;
			d->v.err = d->parse.err;
			return false;
		}
	}
}

static inline void
verdict_begin(struct verdict_parser *d)
{
	struct parse_limits limits = { .head_bytes = 32768, .target = 8192,
		.fields = VERDICT_FIELDS };

	memset(d, 0, sizeof(*d));
	d->v.hash = 14695981039346656037u;
	buf_init(&d->head, limits.head_bytes);
	buf_init(&d->line, PARSE_TRAILERS_MAX);
	parse_init(&d->parse, &limits, &d->head, &d->line, d->fields);
}

static inline struct verdict
verdict_end(struct verdict_parser *d)
{
	d->v.partial = d->v.code == ERR_NONE && !d->v.closed && parse_began(&d->parse);
	buf_free(&d->head);
	buf_free(&d->line);
	return d->v;
}

/* The bytes in two pieces, of `cut` bytes and the rest; in pieces of their own memory, so that
 * reading past one is seen. */
static inline struct verdict
verdict_cut(struct slice bytes, size_t cut)
{
	struct verdict_parser d;
	char *a = malloc(cut + 1), *b = malloc(bytes.len - cut + 1);

	if (a == NULL || b == NULL)
		abort();
	if (cut > 0)
		memcpy(a, bytes.p, cut);
	if (bytes.len > cut)
		memcpy(b, bytes.p + cut, bytes.len - cut);
	verdict_begin(&d);
	if (verdict_feed(&d, slice_of(a, cut)))
		verdict_feed(&d, slice_of(b, bytes.len - cut));
	free(a);
	free(b);
	return verdict_end(&d);
}

/* The bytes in pieces of `step` bytes; 0: at once. */
static inline struct verdict
verdict_of(struct slice bytes, size_t step)
{
	struct verdict_parser d;
	size_t n;

	verdict_begin(&d);
	for (size_t at = 0; at < bytes.len; at += n) {
		n = step == 0 || bytes.len - at < step ? bytes.len - at : step;
		if (!verdict_feed(&d, slice_of(bytes.p + at, n)))
			break;
	}
	return verdict_end(&d);
}

static inline bool
verdict_same(const struct verdict *a, const struct verdict *b)
{
	return a->code == b->code && a->messages == b->messages && a->partial == b->partial &&
	    a->closed == b->closed && a->body_bytes == b->body_bytes && a->hash == b->hash &&
	    strcmp(a->err.detail, b->err.detail) == 0;
}

/* One whole message or more, and nothing refused or left over. */
static inline bool
verdict_accepts(const struct verdict *v)
{
	return v->code == ERR_NONE && v->messages > 0 && !v->partial;
}

#endif
