/* SPDX-License-Identifier: MIT */
/*
 * ingest_work: see the header. What always holds: nothing here touches the request, its flow or its
 * worker; the chunks are ranges of the extracted text, or of the body, and go before them.
 */
#include "api/ingest_work.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/ingest_item.h"
#include "api/route.h"

struct ingest_work *
ingest_work_new(struct request *req, void *arrived)
{
	struct ingest_work *w = body_job_new(req, sizeof(*w));
	struct arena *arena = w->job.arena;

	ingest_work_take_files(w, arrived);
	request_conf(req, &w->conf);
	TAILQ_INIT(&w->batches);
	w->embedding_model = model_embedding_name(req->ctx->model);
	plan_key(req->tenant.limits, PLAN_MAX_DOCUMENT_SIZE, w->size_key);
	w->head = (struct ingest_head){
		.tenant = w->job.tenant,
		.content_type = body_job_copy(&w->job, http_header(req->x, "Content-Type")),
		.document_id = http_query_get(req->x, "documentId", arena),
		.title = http_query_get(req->x, "title", arena),
		.file_name = http_query_get(req->x, "fileName", arena),
		.password = http_query_get(req->x, "password", arena),
		.expires_at = http_query_get(req->x, "expiresAt", arena),
		.language = http_query_get(req->x, "language", arena),
		.if_new = http_query_get(req->x, "ifNew", arena),
	};
	if (req->user_id[0] != '\0')
		w->owner = body_job_copy(&w->job, slice_str(req->user_id)).p;
	return w;
}

void
ingest_work_clear(void *arg)
{
	struct ingest_work *w = arg;
	struct ingest_batch *b;

	if (w == NULL)
		return;
	while ((b = TAILQ_FIRST(&w->batches)) != NULL) {
		TAILQ_REMOVE(&w->batches, b, link);
		ingest_batch_free(b);
	}
	free(w->keys);
	free(w->rows);
	w->keys = NULL;
	w->rows = NULL;
	w->distinct = 0;
	chunk_free(&w->chunks);
	extract_free(&w->extracted);
	ingest_room_close(&w->room, &w->cut_out);
	ingest_grants_clear(&w->grants);
}

void
ingest_work_free(void *arg)
{
	struct ingest_work *w = arg;
	struct ingest_grants grants;

	if (w == NULL)
		return;
	ingest_work_clear(w);
	ingest_work_close_files(w);
	grants = w->grants; /* which lie in the memory that they are for */
	body_job_free(w);
	ingest_grants_give(&grants);
}

/* Numbers are for the client; whose key they are, for the log. */
static void
ingest_too_large(const struct api_conf *conf, size_t body_max, const char *size_key,
    struct err *err)
{
	bool is_budget = body_max < conf->document_max;
	bool has_disk = conf->spool_dir != NULL && *conf->spool_dir != '\0';

	err_set(err, ERR_TOO_LARGE,
	    "A document may have %zu bytes, and %zu of text; send a smaller one.",
	    is_budget ? body_max : conf->document_max, conf->extract.text_max);
	err_cause(err, "%s",
	    !is_budget	   ? size_key
		: has_disk ? "max_spool_size"
			   : "max_ingest_memory");
}

void
ingest_body_limit(struct request *req, struct err *too_large)
{
	struct api_conf conf;
	char key[PLAN_KEY_SIZE];
	size_t max;

	request_conf(req, &conf);
	max = api_route_body_max(req->route, &conf);
	if (max < req->body.max)
		req->body.max = max;
	ingest_too_large(&conf, req->body.max,
	    plan_key(req->tenant.limits, PLAN_MAX_DOCUMENT_SIZE, key), too_large);
}

/* The body's ceiling has room for a form around the document; the document's own is exact. */
static void
check_sizes(struct ingest_work *w)
{
	struct ingest_items *items = &w->items;

	for (unsigned i = 0; i < items->count; i++) {
		if (items->items[i].bytes.len > w->conf.document_max)
			ingest_too_large(&w->conf, SIZE_MAX, w->size_key, &items->items[i].err);
	}
	if (items->count == 1)
		w->job.err = items->items[0].err;
}

/* Whose each document is, and what is known of its text before it is read. */
static void
complete_items(struct ingest_work *w)
{
	for (unsigned i = 0; i < w->items.count; i++) {
		struct ingest_item *item = &w->items.items[i];
		struct extract_in in = ingest_work_document(w, item);

		item->document.owner = w->owner;
		if (!err_is(&item->err))
			item->text_bytes = extract_text_bytes(&w->conf.extract, &in);
	}
}

void
ingest_work_parse(void *arg)
{
	struct ingest_work *w = arg;
	struct ingest_source source;

	if (!ingest_work_source(w, &source) ||
	    !ingest_body_read(&w->head, &source, w->job.arena, &w->items, &w->job.err))
		return;
	check_sizes(w);
	if (err_is(&w->job.err))
		return;
	complete_items(w);
	if (!w->items.copied)
		return;
	buf_free(&w->job.body);
	ingest_room_close(&w->room, &w->file);
	if (w->items.is_mapped)
		share_give(&w->grants.body);
}

/* As many as the text can have, unless a setting says fewer. A chunk is one step of the splitter or
 * more, and what is cut finer (headings, short pages) is less than sixteen times that; what their
 * vectors take is bounded by max_ingest_memory. */
static size_t
chunks_allowed(const struct ingest_work *w)
{
	const struct api_conf *c = &w->conf;
	size_t bytes = 0;

	if (c->chunks_max > 0)
		return c->chunks_max;
	for (unsigned i = 0; i < w->extracted.page_count; i++)
		bytes += w->extracted.pages[i].text.len;
	return 16 * (bytes / (c->chunk_size - c->chunk_overlap) + w->extracted.page_count + 1);
}

/* Chunks never reach over a page's end, so each has one page number. The formats' table was asked
 * before, when the item was made: mime_type is one of its rows. */
static bool
chunk_pages(struct ingest_work *w)
{
	const struct document_format *format = format_find(ingest_work_item(w)->document.mime_type);

	assert(format != NULL);
	w->chunks.max = chunks_allowed(w);
	for (unsigned i = 0; i < w->extracted.page_count; i++) {
		const struct page_text *p = &w->extracted.pages[i];

		if (!chunk_split(p->text, p->number, format->separators, w->conf.chunk_size,
			w->conf.chunk_overlap, &w->chunks))
			return false;
	}
	return true;
}

/* chunk_split() stopped: at the ceiling, or for want of memory below it. */
static void
chunks_refused(struct ingest_work *w)
{
	const struct chunk_list *chunks = &w->chunks;

	if (chunks->count < chunks->max)
		err_set(&w->job.err, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's chunks");
	else
		err_set(&w->job.err, ERR_DOC_LIMIT,
		    "The document has more than %zu chunks; split it.", chunks->max);
	if (w->job.err.code == ERR_DOC_LIMIT)
		err_cause(&w->job.err, "max_chunks_per_document");
}

/* By hash, and then in the document's order: keys are in one array. */
static int
keys_compare(const void *a, const void *b)
{
	const struct chunk_key *one = *(const struct chunk_key *const *)a;
	const struct chunk_key *two = *(const struct chunk_key *const *)b;
	int order = memcmp(one->hash, two->hash, sizeof(one->hash));

	return order != 0 ? order : (one > two) - (one < two);
}

/* Chunks of one text become a chain, in the document's order. */
static void
link_repeats(struct ingest_work *w, struct chunk_key **sorted)
{
	size_t count = w->chunks.count;

	for (size_t i = 0; i < count; i++)
		sorted[i] = &w->keys[i];
	qsort(sorted, count, sizeof(*sorted), keys_compare);
	w->distinct = count;
	for (size_t i = 1; i < count; i++) {
		if (memcmp(sorted[i - 1]->hash, sorted[i]->hash, CHUNK_HASH_SIZE) != 0)
			continue;
		sorted[i - 1]->next = (unsigned)(sorted[i] - w->keys);
		sorted[i]->is_repeat = true;
		w->distinct--;
	}
}

/* The client chooses how many, so want of memory is its request's failure (503), not the
 * process's. */
static void
make_keys(struct ingest_work *w)
{
	size_t count = w->chunks.count;
	struct chunk_key **sorted = calloc(count, sizeof(struct chunk_key *));

	w->keys = calloc(count, sizeof(*w->keys));
	if (w->keys == NULL || sorted == NULL) {
		free(sorted);
		err_set(&w->job.err, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's chunks");
		return;
	}
	for (size_t i = 0; i < count; i++)
		chunk_hash(w->embedding_model, w->chunks.items[i].content, w->keys[i].hash);
	link_repeats(w, sorted);
	free(sorted);
}

static void
cut_chunks(struct ingest_work *w)
{
	struct ingest_item *item = ingest_work_item(w);
	struct extract_in in = ingest_work_document(w, item);

	if (!extract_read(&w->conf.extract, &in, w->job.arena, &w->extracted, &w->job.err))
		return;
	if (w->extracted.page_count > 0 &&
	    !ingest_item_entitle(item, w->extracted.pages[0].text, w->job.arena, &w->job.err))
		return;
	if (!chunk_pages(w))
		chunks_refused(w);
	else if (w->chunks.count == 0)
		err_set(&w->job.err, ERR_DOC_EMPTY,
		    "The document has no text to store; send one that has.");
	else
		make_keys(w);
}

/* Behind the last document's text no file is needed any more. */
void
ingest_work_cut(void *arg)
{
	struct ingest_work *w = arg;

	cut_chunks(w);
	if (w->items.is_mapped && w->at + 1 == w->items.count)
		ingest_work_close_files(w);
}

size_t
ingest_work_cut_bytes(struct ingest_work *w)
{
	const struct ingest_item *item = ingest_work_item(w);
	size_t bytes = w->extracted.text.len + item->bytes.len;

	return item->text_bytes > 0 && bytes <= BODY_HERE_MAX ? BODY_HERE_MAX + 1 : bytes;
}

bool
ingest_work_rows(struct ingest_work *w)
{
	const struct ingest_batch *b;

	w->rows = calloc(w->chunks.count, sizeof(*w->rows));
	if (w->rows == NULL)
		return false;
	TAILQ_FOREACH(b, &w->batches, link)
		for (size_t i = 0; i < b->row_count; i++)
			w->rows[b->rows[i].chunk - w->chunks.items] = b->rows[i];
	return true;
}

size_t
ingest_work_clear_bytes(const struct ingest_work *w, unsigned dimensions)
{
	size_t of_chunk = sizeof(*w->chunks.items) + sizeof(*w->keys), texts = 0;
	const struct ingest_batch *b;

	if (w == NULL)
		return 0;
	TAILQ_FOREACH(b, &w->batches, link)
		texts += b->count;
	return w->file.len + w->decoded.len + w->cut_out.len + w->extracted.text.cap +
	    w->chunks.cap * of_chunk + texts * dimensions * sizeof(float);
}
