/* SPDX-License-Identifier: MIT */
/*
 * ingest_form: see the header.
 */
#include "api/ingest_form.h"

struct form_sink {
	const struct ingest_source *source;
	size_t done; /* bytes of the part under way */
};

/* A multipart_sink_fn. */
static bool
sink_put(void *arg, struct slice bytes, struct err *err)
{
	struct form_sink *sink = arg;

	sink->done += bytes.len;
	return sink->source->add(sink->source->arg, bytes, err);
}

static bool
part_decode(struct part *part, const struct ingest_source *source, struct err *err)
{
	struct form_sink sink = { .source = source };

	if (!multipart_base64(part->bytes, true, sink_put, &sink, err))
		return false;
	spool_unload(part->bytes);
	part->bytes.len = sink.done;
	return true;
}

/* One behind the other; where each lies is known when there are no more. */
bool
ingest_form_decode(struct parts *parts, const struct ingest_source *source, struct err *err)
{
	struct slice all;
	size_t at = 0;

	if (source->decoded == NULL)
		return true;
	for (unsigned i = 0; i < parts->count; i++)
		if (parts->items[i].is_base64 && !part_decode(&parts->items[i], source, err))
			return false;
	if (!spool_map(source->decoded, &all, err))
		return false;
	for (unsigned i = 0; i < parts->count; i++) {
		struct part *part = &parts->items[i];

		if (!part->is_base64)
			continue;
		part->bytes = slice_of(all.len == 0 ? "" : all.p + at, part->bytes.len);
		at += part->bytes.len;
		part->is_base64 = false;
	}
	return true;
}
