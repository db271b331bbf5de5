/* SPDX-License-Identifier: MIT */
/*
 * usage_tally: see the header. A row's key is its day, its tenant and its model, whose texts have
 * no NUL; a model's is whole characters of UTF-8.
 */
#include "usage/usage_tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/map.h"
#include "tenantgate/base/utf8.h"

#define DAY_US	(86400 * 1000000ull)
#define KEY_MAX (sizeof(uint32_t) + TENANT_ID_MAX + 1 + USAGE_MODEL_MAX)
/* Of a row's JSON: each byte of a text may be an escape of six. */
#define ROW_JSON_MAX  (6 * (TENANT_ID_MAX + USAGE_MODEL_MAX) + 512)

struct usage_cell {
	TAILQ_ENTRY(usage_cell) link;
	uint32_t day;
	struct usage_count count;
	size_t key_len, model_at; /* where the model begins in the key */
	char key[];
};

struct usage_tally {
	size_t max;
	struct map *cells; /* borrowed values: of the list */
	/* Owned; the oldest first. */
	TAILQ_HEAD(usage_cells, usage_cell) list, taken;
	size_t taken_count;
};

struct usage_tally *
usage_tally_new(size_t rows_max)
{
	struct usage_tally *t = xcalloc(1, sizeof(*t));

	t->max = rows_max;
	t->cells = map_new(0, NULL);
	TAILQ_INIT(&t->list);
	TAILQ_INIT(&t->taken);
	return t;
}

void
usage_tally_free(struct usage_tally *t)
{
	struct usage_cell *c;

	if (t == NULL)
		return;
	usage_tally_forget(t, NULL);
	map_free(t->cells);
	while ((c = TAILQ_FIRST(&t->list)) != NULL) {
		TAILQ_REMOVE(&t->list, c, link);
		free(c);
	}
	free(t);
}

size_t
usage_tally_rows(const struct usage_tally *t)
{
	return map_count(t->cells);
}

/* Up to the last whole character that there is room for. A broken one is U+FFFD, as in JSON, so
 * that no two keys are one row. */
static size_t
put_model(char *at, const char *model)
{
	size_t left = strlen(model), used = 0;

	while (left > 0) {
		uint32_t point;
		size_t n = utf8_next(model, left, &point);
		struct slice c = slice_of(model, n);

		if (point == UTF8_BAD)
			c = SLICE_LIT("\xef\xbf\xbd");
		if (used + c.len > USAGE_MODEL_MAX)
			break;
		memcpy(at + used, c.p, c.len);
		used += c.len;
		model += n;
		left -= n;
	}
	return used;
}

/* Where the model begins is told, too. */
static struct slice
cell_key(char out[KEY_MAX], uint32_t day, const char *tenant, const char *model, size_t *model_at)
{
	size_t used = sizeof(day), tenant_len = strnlen(tenant, TENANT_ID_MAX);

	memcpy(out, &day, sizeof(day));
	memcpy(out + used, tenant, tenant_len);
	used += tenant_len;
	out[used++] = '\0';
	*model_at = used;
	used += put_model(out + used, model);
	return slice_of(out, used);
}

static struct usage_cell *
cell_new(struct usage_tally *t, struct slice key, uint32_t day, size_t model_at)
{
	struct usage_cell *c;

	if (map_count(t->cells) >= t->max)
		return NULL;
	c = xcalloc(1, sizeof(*c) + key.len);
	memcpy(c->key, key.p, key.len);
	c->key_len = key.len;
	c->model_at = model_at;
	c->day = day;
	if (!map_put(t->cells, key, c)) {
		free(c);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&t->list, c, link);
	return c;
}

static void
sum_add(uint64_t *sum, uint64_t more)
{
	if (more > USAGE_SUM_MAX || *sum + more > USAGE_SUM_MAX)
		*sum = USAGE_SUM_MAX;
	else
		*sum += more;
}

void
usage_count_add(struct usage_count *sum, const struct usage_count *more)
{
	sum_add(&sum->requests, more->requests);
	sum_add(&sum->input_tokens, more->input_tokens);
	sum_add(&sum->output_tokens, more->output_tokens);
	sum_add(&sum->embedding_calls, more->embedding_calls);
	sum_add(&sum->embedding_tokens, more->embedding_tokens);
	sum_add(&sum->documents, more->documents);
	sum_add(&sum->bytes, more->bytes);
}

bool
usage_tally_add(struct usage_tally *t, const char *tenant, const char *model, uint32_t day,
    const struct usage_count *more)
{
	char text[KEY_MAX];
	size_t model_at;
	struct slice key = cell_key(text, day, tenant, model == NULL ? "" : model, &model_at);
	struct usage_cell *c = map_get(t->cells, key);

	if (c == NULL)
		c = cell_new(t, key, day, model_at);
	if (c != NULL)
		usage_count_add(&c->count, more);
	return c != NULL;
}

void
usage_day_text(uint32_t day, char out[USAGE_DAY_SIZE])
{
	char iso[CLOCK_ISO_SIZE];

	clock_iso(day * DAY_US, iso);
	memcpy(out, iso, USAGE_DAY_SIZE - 1);
	out[USAGE_DAY_SIZE - 1] = '\0';
}

void
usage_count_put(struct buf *b, const struct usage_count *c)
{
	buf_printf(b,
	    "\"requests\":%llu,\"inputTokens\":%llu,\"outputTokens\":%llu,"
	    "\"embeddingCalls\":%llu,\"embeddingTokens\":%llu,\"documents\":%llu,\"bytes\":%llu",
	    (unsigned long long)c->requests, (unsigned long long)c->input_tokens,
	    (unsigned long long)c->output_tokens, (unsigned long long)c->embedding_calls,
	    (unsigned long long)c->embedding_tokens, (unsigned long long)c->documents,
	    (unsigned long long)c->bytes);
}

static struct slice
cell_tenant(const struct usage_cell *c)
{
	return slice_of(c->key + sizeof(c->day), c->model_at - 1 - sizeof(c->day));
}

static struct slice
cell_model(const struct usage_cell *c)
{
	return slice_of(c->key + c->model_at, c->key_len - c->model_at);
}

static void
put_cell(struct buf *b, const struct usage_cell *c)
{
	char day[USAGE_DAY_SIZE];

	usage_day_text(c->day, day);
	buf_puts(b, b->len > 1 ? ",{\"tenant\":" : "{\"tenant\":");
	json_put_string(b, cell_tenant(c));
	buf_printf(b, ",\"day\":\"%s\",\"model\":", day);
	json_put_string(b, cell_model(c));
	buf_putc(b, ',');
	usage_count_put(b, &c->count);
	buf_putc(b, '}');
}

/* The first ones of the list. */
static void
cells_take(struct usage_tally *t, size_t n)
{
	for (t->taken_count = n; n > 0; n--) {
		struct usage_cell *c = TAILQ_FIRST(&t->list);

		(void)map_take(t->cells, slice_of(c->key, c->key_len));
		TAILQ_REMOVE(&t->list, c, link);
		TAILQ_INSERT_TAIL(&t->taken, c, link);
	}
}

bool
usage_tally_take(struct usage_tally *t, size_t rows_max, struct buf *out)
{
	struct usage_cell *c;
	size_t n = 0;

	buf_putc(out, '[');
	TAILQ_FOREACH(c, &t->list, link) {
		if (n == rows_max || (n > 0 && out->len + ROW_JSON_MAX > USAGE_BATCH_MAX))
			break;
		put_cell(out, c);
		n++;
	}
	buf_putc(out, ']');
	if (out->failed)
		return false;
	cells_take(t, n);
	return true;
}

size_t
usage_tally_taken(const struct usage_tally *t)
{
	return t->taken_count;
}

static struct usage_cell *
taken_pop(struct usage_tally *t)
{
	struct usage_cell *c = TAILQ_LAST(&t->taken, usage_cells);

	if (c != NULL)
		TAILQ_REMOVE(&t->taken, c, link);
	return c;
}

void
usage_tally_forget(struct usage_tally *t, struct usage_count *lost)
{
	struct usage_cell *c;

	while ((c = taken_pop(t)) != NULL) {
		if (lost != NULL)
			usage_count_add(lost, &c->count);
		free(c);
	}
	t->taken_count = 0;
}

/* Beyond the ceiling too, for it was below it when they were noted. */
void
usage_tally_return(struct usage_tally *t, struct usage_count *lost)
{
	struct usage_cell *c, *same;

	while ((c = taken_pop(t)) != NULL) {
		struct slice key = slice_of(c->key, c->key_len);

		same = map_get(t->cells, key);
		if (same != NULL) {
			usage_count_add(&c->count, &same->count);
			TAILQ_REMOVE(&t->list, same, link);
			free(same);
		}
		if (!map_put(t->cells, key, c)) {
			usage_count_add(lost, &c->count);
			free(c);
			continue;
		}
		TAILQ_INSERT_HEAD(&t->list, c, link);
	}
	t->taken_count = 0;
}

void
usage_tally_name(const struct usage_tally *t, char out[USAGE_ROW_TEXT_SIZE])
{
	const struct usage_cell *c = TAILQ_FIRST(&t->taken);
	char day[USAGE_DAY_SIZE];

	out[0] = '\0';
	if (c == NULL)
		return;
	usage_day_text(c->day, day);
	(void)snprintf(out, USAGE_ROW_TEXT_SIZE, "%.*s, %s, \"%.*s\"", SLICE_ARG(cell_tenant(c)),
	    day, SLICE_ARG(cell_model(c)));
}
