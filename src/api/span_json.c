/* SPDX-License-Identifier: MIT */
/*
 * span_json: see the header.
 */
#include "api/span_json.h"

#include "tenantgate/base/json.h"

#define FLAG_SAMPLED	  1u
#define FLAG_REMOTE_KNOWN 0x100u /* whether the parent is remote is in the next bit */
#define FLAG_REMOTE	  0x200u
#define STATUS_ERROR	  2

void
span_begin(struct buf *b, const struct span *s)
{
	char id[SPAN_ID_LEN + 1];

	trace_span_write(s->id, id);
	buf_printf(b, "{\"traceId\":\"%s\",\"spanId\":\"%s\"", s->trace->id, id);
	if (s->parent[0] != '\0')
		buf_printf(b, ",\"parentSpanId\":\"%s\"", s->parent);
	buf_puts(b, ",\"name\":");
	json_put_string(b, s->name);
	buf_printf(b,
	    ",\"kind\":%d,\"startTimeUnixNano\":\"%llu000\",\"endTimeUnixNano\":\"%llu000\","
	    "\"attributes\":[",
	    (int)s->kind, (unsigned long long)s->begin_us, (unsigned long long)s->end_us);
}

/* A comma, but before the first. */
static void
put_attribute_key(struct buf *b, const char *key)
{
	if (b->len > 0 && b->data[b->len - 1] != '[')
		buf_putc(b, ',');
	buf_printf(b, "{\"key\":\"%s\",\"value\":{", key);
}

void
span_put_text(struct buf *b, const char *key, struct slice value)
{
	if (value.len == 0)
		return;
	put_attribute_key(b, key);
	buf_puts(b, "\"stringValue\":");
	json_put_string(b, value);
	buf_puts(b, "}}");
}

void
span_put_number(struct buf *b, const char *key, uint64_t value)
{
	put_attribute_key(b, key);
	buf_printf(b, "\"intValue\":\"%llu\"}}", (unsigned long long)value);
}

void
span_end(struct buf *b, const struct span *s, const char *error)
{
	unsigned flags = FLAG_SAMPLED | FLAG_REMOTE_KNOWN | (s->is_remote ? FLAG_REMOTE : 0);

	if (error != NULL)
		span_put_text(b, "error.type", slice_str(error));
	buf_puts(b, "],\"status\":{");
	if (error != NULL)
		buf_printf(b, "\"code\":%d", STATUS_ERROR);
	buf_printf(b, "},\"flags\":%u}", flags);
}
