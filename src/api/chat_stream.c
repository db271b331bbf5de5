/* SPDX-License-Identifier: MIT */
/*
 * chat_stream: each part of an answer in each of its forms. A writer moves
 *
 *	[CLOSED] --stream_begin--> [BEGUN] --stream_text-----------> [TEXT_OPEN]
 *	    ^                         |                                 ^  v
 *	    |                         +-----stream_put_reasoning---> [REASONING_OPEN]
 *	    +------stream_finish, stream_error, from any of them-----------+
 *
 * The state matters to UI streams alone: there a part is opened by text-start or reasoning-start
 * before its first delta, and closed by text-end or reasoning-end before the next one and before
 * the finish.
 */
#define _GNU_SOURCE /* memmem */
#include "api/chat_stream.h"

#include <stdio.h>
#include <string.h>

#include "tenantgate/base/json.h"

/* ---- which form ---- */
static bool
kind_named(struct slice name, enum stream_kind *kind)
{
	static const char
	    *const names[] = { [STREAM_DATA] = "data", [STREAM_UI] = "ui", [STREAM_TEXT] = "text" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (slice_is_nocase(name, names[i])) {
			*kind = (enum stream_kind)i;
			return true;
		}
	}
	return false;
}

/* AI SDK 5 and later send what triggered the request and messages without `content`. Without a
 * message there is nothing to go by: data, as the reference app has it. */
static enum stream_kind
kind_of_body(const json_t *root)
{
	const json_t *messages = json_object_get(root, "messages");
	const json_t *message;
	size_t i;

	if (json_is_string(json_object_get(root, "trigger")))
		return STREAM_UI;
	json_array_foreach(messages, i, message) {
		if (json_object_get(message, "content") != NULL)
			return STREAM_DATA;
	}
	return json_array_size(messages) > 0 ? STREAM_UI : STREAM_DATA;
}

bool
stream_choose(struct slice header, struct slice accept, const json_t *root, enum stream_kind *kind,
    struct err *err)
{
	static const char sse[] = "text/event-stream";

	if (header.len > 0 && !kind_named(header, kind)) {
		err_set(err, ERR_BAD_REQUEST,
		    "Header X-Tenantgate-Stream must be data, ui or text, or be left out.");
		return false;
	}
	if (header.len == 0 && accept.len > 0 &&
	    memmem(accept.p, accept.len, sse, sizeof(sse) - 1) != NULL)
		*kind = STREAM_UI;
	else if (header.len == 0)
		*kind = kind_of_body(root);
	return true;
}

const char *
stream_content_type(enum stream_kind kind)
{
	return kind == STREAM_UI ? "text/event-stream" : "text/plain; charset=utf-8";
}

bool
stream_protocol_header(enum stream_kind kind, const char **name, const char **value)
{
	*value = "v1";
	*name = kind == STREAM_UI ? "X-Vercel-AI-UI-Message-Stream" : "X-Vercel-AI-Data-Stream";
	return kind != STREAM_TEXT;
}

/* ---- sources ---- */
static void
stream_put_field(struct buf *b, const char *before, const char *text)
{
	buf_puts(b, before);
	json_put_string(b, slice_str(text));
}

/* Never empty: clients show it as the source's name. */
static const char *
hit_title(const struct hit *h)
{
	if (h->title != NULL && h->title[0] != '\0')
		return h->title;
	return h->file_name != NULL && h->file_name[0] != '\0' ? h->file_name : h->document_id;
}

/* Four decimal places, rounded: a cosine similarity, -1 to 1 or a rounding error beyond. */
static void
stream_put_score(struct buf *b, double score)
{
	unsigned n = (unsigned)((score < 0 ? -score : score) * 10000 + 0.5);
	char places[] = { '.', (char)('0' + n / 1000 % 10), (char)('0' + n / 100 % 10),
		(char)('0' + n / 10 % 10), (char)('0' + n % 10) };

	if (score < 0 && n > 0)
		buf_putc(b, '-');
	buf_uint(b, n / 10000);
	buf_add(b, places, sizeof(places));
}

static void
stream_put_number(struct buf *b, const char *before, uint64_t n)
{
	buf_puts(b, before);
	buf_uint(b, n);
}

/* One source. Its id counts as the prompt's [n] marks do, so a client can link them. */
static void
stream_put_source(struct buf *b, const struct hit *h, unsigned n)
{
	stream_put_number(b, "{\"type\":\"source\",\"id\":\"s", n);
	stream_put_field(b, "\",\"documentId\":", h->document_id);
	stream_put_field(b, ",\"title\":", hit_title(h));
	if (h->file_name != NULL && h->file_name[0] != '\0')
		stream_put_field(b, ",\"fileName\":", h->file_name);
	if (h->page > 0)
		stream_put_number(b, ",\"page\":", h->page);
	stream_put_number(b, ",\"chunk\":", h->index);
	buf_puts(b, ",\"score\":");
	stream_put_score(b, h->score);
	buf_putc(b, '}');
}

static void
stream_put_sources(struct buf *b, const struct hits *hits)
{
	unsigned i;

	for (i = 0; i < hits->count; i++) {
		buf_putc(b, i == 0 ? '[' : ',');
		stream_put_source(b, &hits->items[i], i + 1);
	}
	buf_putc(b, ']');
}

/* A source-document part. The keys here are all that the strict versions allow, and none is for a
 * page: it goes into the title. The title's own buf is sized for it, and without memory stays
 * short. */
static void
stream_put_source_document(struct buf *b, const struct hit *h, unsigned n)
{
	char page[32] = "";
	struct buf title;

	if (h->page > 0)
		snprintf(page, sizeof(page), ", page %u", h->page);
	buf_init(&title, strlen(hit_title(h)) + sizeof(page));
	buf_puts(&title, hit_title(h));
	buf_puts(&title, page);
	buf_printf(b, "data: {\"type\":\"source-document\",\"sourceId\":\"s%u\"", n);
	stream_put_field(b, ",\"mediaType\":",
	    h->mime_type != NULL && h->mime_type[0] != '\0' ? h->mime_type
							    : "application/octet-stream");
	buf_puts(b, ",\"title\":");
	json_put_string(b, buf_view(&title));
	if (h->file_name != NULL && h->file_name[0] != '\0')
		stream_put_field(b, ",\"filename\":", h->file_name);
	buf_puts(b, "}\n\n");
	buf_free(&title);
}

/* Data streams take the list twice: as a data part (2:), which useChat gathers in `data` for the
 * whole chat, and as annotations (8:) of this answer's own message. UI streams take a
 * source-document part for each, which every client can show, and the list with scores and pages as
 * a data part of our own name. */
void
stream_sources(struct stream_writer *w, struct buf *b, const struct hits *hits)
{
	unsigned i;

	if (hits->count == 0 || w->kind == STREAM_TEXT)
		return;
	if (w->kind == STREAM_DATA) {
		buf_puts(b, "2:");
		stream_put_sources(b, hits);
		buf_puts(b, "\n8:");
		stream_put_sources(b, hits);
		buf_putc(b, '\n');
		return;
	}
	for (i = 0; i < hits->count; i++)
		stream_put_source_document(b, &hits->items[i], i + 1);
	/* Transient: the client would otherwise keep it and send it back with each later
	 * request. */
	buf_puts(b, "data: {\"type\":\"data-sources\",\"data\":");
	stream_put_sources(b, hits);
	buf_puts(b, ",\"transient\":true}\n\n");
}

/* ---- text ---- */
void
stream_begin(struct stream_writer *w, struct buf *b)
{
	w->part = STREAM_BEGUN;
	if (w->kind == STREAM_UI)
		buf_puts(b, "data: {\"type\":\"start\"}\n\ndata: {\"type\":\"start-step\"}\n\n");
}

static const char *
ui_part_name(enum stream_part part)
{
	return part == STREAM_TEXT_OPEN ? "text" : "reasoning";
}

static void
ui_part_close(struct stream_writer *w, struct buf *b)
{
	if (w->part == STREAM_TEXT_OPEN || w->part == STREAM_REASONING_OPEN)
		buf_printf(b, "data: {\"type\":\"%s-end\",\"id\":\"%u\"}\n\n",
		    ui_part_name(w->part), w->part_count);
	w->part = STREAM_BEGUN;
}

/* A piece of a part; the part is opened where it is not, after the other one is closed. */
static void
ui_delta(struct stream_writer *w, struct buf *b, enum stream_part part, struct slice text)
{
	if (w->part != part) {
		ui_part_close(w, b);
		buf_printf(b, "data: {\"type\":\"%s-start\",\"id\":\"%u\"}\n\n", ui_part_name(part),
		    ++w->part_count);
		w->part = part;
	}
	buf_puts(b, "data: {\"type\":\"");
	buf_puts(b, ui_part_name(part));
	buf_puts(b, "-delta\",\"id\":\"");
	buf_uint(b, w->part_count);
	buf_puts(b, "\",\"delta\":");
	json_put_string(b, text);
	buf_puts(b, "}\n\n");
}

void
stream_put_reasoning(struct stream_writer *w, struct buf *b, struct slice text)
{
	if (w->kind == STREAM_UI)
		ui_delta(w, b, STREAM_REASONING_OPEN, text);
}

static bool
is_blank(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (strchr(" \t\r\n", text.p[i]) == NULL || text.p[i] == '\0')
			return false;
	}
	return true;
}

void
stream_text(struct stream_writer *w, struct buf *b, struct slice text)
{
	if (!w->has_words)
		w->has_words = !is_blank(text);
	if (w->kind == STREAM_TEXT) {
		buf_slice(b, text);
	} else if (w->kind == STREAM_DATA) {
		buf_puts(b, "0:");
		json_put_string(b, text);
		buf_putc(b, '\n');
	} else {
		ui_delta(w, b, STREAM_TEXT_OPEN, text);
	}
}

/* ---- the end ---- */
/* The AI SDK's name for an OpenAI finish_reason: clients refuse the stream for one they do not
 * know. */
static const char *
finish_reason_name(const char *reason)
{
	if (reason == NULL)
		return "other";
	if (strcmp(reason, "content_filter") == 0)
		return "content-filter";
	return strcmp(reason, "stop") == 0 || strcmp(reason, "length") == 0 ? reason : "other";
}

/* The end of the step (e) and of the message (d), with the same content but for isContinued.
 * promptTokens is null where the model server did not report them: 0 would be taken for a count. */
static void
finish_data(struct buf *b, const char *reason, const struct model_usage *u)
{
	const char *parts = "ed";

	for (; *parts != '\0'; parts++) {
		buf_putc(b, *parts);
		buf_puts(b, ":{\"finishReason\":\"");
		buf_puts(b, reason);
		buf_puts(b, "\",\"usage\":{\"promptTokens\":");
		if (u->known)
			buf_uint(b, u->input_tokens);
		else
			buf_puts(b, "null");
		stream_put_number(b, ",\"completionTokens\":", u->output_tokens);
		buf_puts(b, *parts == 'e' ? "},\"isContinued\":false}\n" : "}}\n");
	}
}

/* messageMetadata is the one place for usage that every version takes; finishReason as a key of
 * `finish` itself came later, and older clients refuse it. */
static void
finish_ui(struct stream_writer *w, struct buf *b, const char *reason, const struct model_usage *u)
{
	ui_part_close(w, b);
	buf_printf(b,
	    "data: {\"type\":\"finish-step\"}\n\ndata: {\"type\":\"finish\","
	    "\"messageMetadata\":{\"finishReason\":\"%s\",\"usage\":{",
	    reason);
	if (u->known)
		buf_printf(b, "\"inputTokens\":%llu,", (unsigned long long)u->input_tokens);
	buf_printf(b, "\"outputTokens\":%llu}}}\n\ndata: [DONE]\n\n",
	    (unsigned long long)u->output_tokens);
}

/* For an answer without words, by the model's reason to end it. */
static const char *
wordless_sentence(const char *reason)
{
	static const char *const sentences[][2] = {
		{ "tool_calls",
		    "The model asked for a tool, and there is none here. Ask in other words." },
		{ "length",
		    "The model's tokens were used up before its first word. Ask for less." },
		{ "content_filter",
		    "The model's provider has withheld the answer. Ask in other words." },
	};

	for (size_t i = 0; reason != NULL && i < sizeof(sentences) / sizeof(sentences[0]); i++) {
		if (strcmp(reason, sentences[i][0]) == 0)
			return sentences[i][1];
	}
	return "The model has given an empty answer. Ask again, or in other words.";
}

void
stream_finish(struct stream_writer *w, struct buf *b, const char *reason,
    const struct model_usage *usage)
{
	if (!w->has_words)
		stream_text(w, b, slice_str(wordless_sentence(reason)));
	if (w->kind == STREAM_DATA)
		finish_data(b, finish_reason_name(reason), usage);
	else if (w->kind == STREAM_UI)
		finish_ui(w, b, finish_reason_name(reason), usage);
	w->part = STREAM_CLOSED;
}

/* The err's sentence is meant for the client, whose page shows it. */
bool
stream_error(struct stream_writer *w, struct buf *b, const struct err *err)
{
	const char *text = err->detail[0] != '\0' ? err->detail : err_title(err->code);

	w->part = STREAM_CLOSED;
	if (w->kind == STREAM_TEXT)
		return false;
	stream_put_field(b,
	    w->kind == STREAM_DATA ? "3:" : "data: {\"type\":\"error\",\"errorText\":", text);
	buf_puts(b, w->kind == STREAM_DATA ? "\n" : "}\n\ndata: [DONE]\n\n");
	return true;
}

void
stream_keepalive(struct stream_writer *w, struct buf *b)
{
	if (w->kind == STREAM_DATA)
		buf_putc(b, '\n');
	else if (w->kind == STREAM_UI)
		buf_puts(b, ": keep-alive\n\n");
}
