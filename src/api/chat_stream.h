/* SPDX-License-Identifier: MIT */
/*
 * chat_stream: the forms a streamed answer of POST /chat may have, written into a buf. Pure.
 *
 *	stream_begin, stream_sources, stream_put_reasoning or stream_text ...,
 *	then stream_finish; stream_keepalive and stream_error at any moment, before the begin too
 *
 *	kind	bytes					who reads it
 *	data	data stream v1: lines `code:JSON`	useChat of AI SDK 3 and 4
 *	ui	UI message stream v1: SSE		useChat of AI SDK 5 and later
 *	text	the bare text				curl, streamProtocol 'text'
 *
 * Clients check each part against a schema, and refuse the whole stream for one part, or one key,
 * that they do not know: only what every version takes is written (npm ai 3.4.33 to 7.0.173).
 */
#ifndef API_STREAM_H
#define API_STREAM_H

#include <jansson.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/model.h"
#include "tenantgate/retrieval.h"

enum stream_kind { STREAM_DATA, STREAM_UI, STREAM_TEXT };

/* How far a stream is: not begun or ended; begun, with no part open; which part is open. */
enum stream_part { STREAM_CLOSED, STREAM_BEGUN, STREAM_REASONING_OPEN, STREAM_TEXT_OPEN };

struct stream_writer {
	enum stream_kind	kind;	/* the caller's: stream_choose() */
	enum stream_part	part;	/* moved by the functions below alone, as all from here */
	unsigned		part_count;	/* of UI streams: the last part's id */
	bool			has_words;	/* some text that is not blank was written */
};

/* What the request wants: X-Tenantgate-Stream (`header`: data, ui or text) wins, then Accept, then
 * the form of the body. p of either slice may be NULL, root too. False, with err set, for a header
 * that names another form: an answer in a form that was not asked for looks like none. */
bool			 stream_choose(struct slice header, struct slice accept,
			    const json_t *root, enum stream_kind *, struct err *);
const char		*stream_content_type(enum stream_kind);
/* The header field by which clients know the form, static; false when it has none. */
bool			 stream_protocol_header(enum stream_kind, const char **name,
			    const char **value);

/* All append, and none checks for room: look at the buf's `failed` once at the end. The reason is
 * model_delta's finish_reason. */
void	stream_begin(struct stream_writer *, struct buf *);
void	stream_sources(struct stream_writer *, struct buf *, const struct hits *);
void	stream_text(struct stream_writer *, struct buf *, struct slice);
/* What a model says to itself: UI streams have a part for it, and in others it is left out (AI SDK
 * 3 and 4.0 refuse a stream that has one). */
void	stream_put_reasoning(struct stream_writer *, struct buf *, struct slice text);
/* An answer without a word gets a sentence that says so: people would see an empty bubble. */
void	stream_finish(struct stream_writer *, struct buf *, const char *reason,
	    const struct model_usage *);
/* False when the form has no error part: then the connection must be cut. */
bool	stream_error(struct stream_writer *, struct buf *, const struct err *);
/* Bytes that every client ignores, against proxies that close a silent connection; nothing for
 * text, which has no such bytes. */
void	stream_keepalive(struct stream_writer *, struct buf *);

#endif
