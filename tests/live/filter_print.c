/* SPDX-License-Identifier: MIT */
/*
 * filter_print: reads metadata filters for search-filter.test.mjs, which asks a Postgres what they
 * mean. stdin: a filter on each line, as JSON. stdout: for each a line of JSON, {"sql", "values"}
 * over parameter 1, {} for no filter, or {"code", "detail"} where it is refused. Without input it
 * prints nothing and exits 0.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tenantgate/base/json.h"
#include "tenantgate/retrieval/search_filter.h"

#define ARENA_MAX (4u << 20)
#define LINE_SIZE (8u << 20)

static void
put_filter(struct buf *out, const struct search_filter *filter)
{
	struct buf sql;

	buf_init(&sql, SEARCH_FILTER_SQL_MAX);
	if (!search_filter_condition(filter, 1, &sql))
		abort();
	buf_puts(out, "{\"sql\":");
	json_put_string(out, buf_view(&sql));
	buf_puts(out, ",\"values\":");
	json_put_string(out, slice_str(search_filter_values(filter)));
	buf_puts(out, "}\n");
	buf_free(&sql);
}

static void
put_refusal(struct buf *out, const struct err *err)
{
	buf_printf(out, "{\"code\":\"%s\",\"detail\":", err_slug(err->code));
	json_put_string(out, slice_str(err->detail));
	buf_puts(out, "}\n");
}

static void
print_filter(const char *text)
{
	const struct search_filter *filter = NULL;
	struct arena *arena = arena_new(ARENA_MAX);
	struct err err = { 0 };
	json_t *value = json_read(slice_str(text), &err);
	struct buf out;

	buf_init(&out, 1u << 20);
	if (value == NULL || !search_filter_read(value, "filter", arena, &filter, &err))
		put_refusal(&out, &err);
	else if (filter == NULL)
		buf_puts(&out, "{}\n");
	else
		put_filter(&out, filter);
	if (out.failed)
		abort();
	fwrite(out.data, 1, out.len, stdout);
	buf_free(&out);
	json_decref(value);
	arena_free(arena);
}

int
main(void)
{
	char *line = malloc(LINE_SIZE);

	if (line == NULL)
		return 1;
	while (fgets(line, LINE_SIZE, stdin) != NULL)
		print_filter(line);
	free(line);
	return 0;
}
