/* SPDX-License-Identifier: MIT */
/*
 * usage_tally: see the header. A row's key is its day, its tenant and its model, whose texts have
 * no NUL.
 */
#include "usage/usage_tally.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/map.h"

#define DAY_US	(86400 * 1000000ull)
#define KEY_MAX (sizeof(uint32_t) + TENANT_ID_MAX + 1 + USAGE_MODEL_MAX)
#define SUM_MAX (1000000000000000ull) /* of a row: what a server says may be any number */

struct usage_cell {
	TAILQ_ENTRY(usage_cell) link;
	uint32_t day;
	struct usage_count count;
	size_t key_len, model_at; /* where the model begins in the key */
	char key[];
};

struct usage_tally {
	size_t max;
	struct map *cells;			  /* borrowed values: of the list */
	TAILQ_HEAD(usage_cells, usage_cell) list; /* owned; the oldest first */
};

struct usage_tally *
usage_tally_new(size_t rows_max)
{
	struct usage_tally *t = xcalloc(1, sizeof(*t));

	t->max = rows_max;
	t->cells = map_new(0, NULL);
	TAILQ_INIT(&t->list);
	return t;
}

void
usage_tally_free(struct usage_tally *t)
{
	struct usage_cell *c;

	if (t == NULL)
		return;
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

static size_t
put_part(char *at, const char *text, size_t max)
{
	size_t len = strnlen(text, max);

	memcpy(at, text, len);
	return len;
}

/* Where the model begins is told, too. */
static struct slice
cell_key(char out[KEY_MAX], uint32_t day, const char *tenant, const char *model, size_t *model_at)
{
	size_t used = sizeof(day);

	memcpy(out, &day, sizeof(day));
	used += put_part(out + used, tenant, TENANT_ID_MAX);
	out[used++] = '\0';
	*model_at = used;
	used += put_part(out + used, model, USAGE_MODEL_MAX);
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
	if (more > SUM_MAX || *sum + more > SUM_MAX)
		*sum = SUM_MAX;
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

static void
put_cell(struct buf *b, const struct usage_cell *c)
{
	size_t tenant_at = sizeof(c->day);
	char day[USAGE_DAY_SIZE];

	usage_day_text(c->day, day);
	buf_puts(b, b->len > 1 ? ",{\"tenant\":" : "{\"tenant\":");
	json_put_string(b, slice_of(c->key + tenant_at, c->model_at - 1 - tenant_at));
	buf_printf(b, ",\"day\":\"%s\",\"model\":", day);
	json_put_string(b, slice_of(c->key + c->model_at, c->key_len - c->model_at));
	buf_putc(b, ',');
	usage_count_put(b, &c->count);
	buf_putc(b, '}');
}

/* The rows that are in the batch are the first ones of the list. */
static void
cells_drop(struct usage_tally *t, size_t n)
{
	for (; n > 0; n--) {
		struct usage_cell *c = TAILQ_FIRST(&t->list);

		(void)map_del(t->cells, slice_of(c->key, c->key_len));
		TAILQ_REMOVE(&t->list, c, link);
		free(c);
	}
}

bool
usage_tally_take(struct usage_tally *t, struct buf *out)
{
	struct usage_cell *c;
	size_t n = 0;

	buf_putc(out, '[');
	TAILQ_FOREACH(c, &t->list, link) {
		if (n == USAGE_BATCH_ROWS)
			break;
		put_cell(out, c);
		n++;
	}
	buf_putc(out, ']');
	if (out->failed)
		return false;
	cells_drop(t, n);
	return true;
}
