/* SPDX-License-Identifier: MIT */
/*
 * fuzz_search_filter: JSON as a metadata filter. What is read becomes SQL with no byte of the
 * filter in it, over a parameter that is JSON; what is refused is refused for the caller's fault,
 * in a sentence.
 *
 * sources: src/base/alloc.c src/base/arena.c src/base/buf.c src/base/clock.c src/base/err.c
 * sources: src/base/json.c src/base/json_put.c src/base/log.c src/base/log_repeat.c
 * sources: src/base/utf8.c src/retrieval/filter_condition.c src/retrieval/filter_value.c
 * sources: src/retrieval/search_filter.c src/base/json_memory.c
 * libs: -ljansson -lm
 */
#include "tenantgate/base/json.h"
#include "tenantgate/retrieval/search_filter.h"
#include "tests/fuzz/fuzz_check.h"

#define ARENA_MAX (1u << 20)

static bool
is_word_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The word at the front; its length. */
static size_t
check_sql_word(const char *text)
{
	static const char *const words[] = { "OPERATOR", "pg_catalog", "d", "metadata", "jsonb",
		"coalesce", "false", "true", "IS", "NOT", "NULL", "AND", "OR", "CASE", "WHEN",
		"THEN", "ELSE", "END", "EXISTS", "SELECT", "FROM", "AS", "WHERE", "one", "value",
		"jsonb_typeof", "array", "jsonb_array_elements", "jsonb_path_exists", "jsonpath",
		"strict", "a", "b" };
	size_t n = 0, i = 0;

	while (is_word_letter(text[n]))
		n++;
	while (i < sizeof(words) / sizeof(words[0]) && !slice_is(slice_of(text, n), words[i]))
		i++;
	fuzz_check(i < sizeof(words) / sizeof(words[0]));
	return n;
}

/* The only words are Postgres' and jsonpath's own; digits are indexes. */
static void
check_sql(const struct buf *sql)
{
	int depth = 0;

	for (size_t i = 0; i < sql->len; i++) {
		if (is_word_letter(sql->data[i]))
			i += check_sql_word(sql->data + i) - 1;
		else
			fuzz_check(strchr("0123456789 ()[].,:*?@<>=&|-$'", sql->data[i]) != NULL);
		depth += sql->data[i] == '(';
		depth -= sql->data[i] == ')';
		fuzz_check(depth > 0 || i + 1 == sql->len);
	}
	fuzz_check(depth == 0 && strstr(sql->data, "d.metadata OPERATOR(pg_catalog.->)") != NULL);
}

/* As deep as an in or the two forms of a bound, and with a name at least. */
static void
check_values(const char *text)
{
	struct err err = { 0 };
	json_t *values = json_read(slice_str(text), &err);

	fuzz_check(values != NULL && json_array_size(values) > 0);
	fuzz_check(json_is_string(json_array_get(values, 0)));
	json_decref(values);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const struct search_filter *filter = NULL;
	struct arena *arena = arena_new(ARENA_MAX);
	struct err err = { 0 };
	json_t *value = json_read(slice_of((const char *)bytes, n), &err);
	bool ok = value != NULL && search_filter_read(value, "filter", arena, &filter, &err);
	struct buf sql;

	json_decref(value); /* the filter is a copy */
	fuzz_check(ok == !err_is(&err));
	buf_init(&sql, SEARCH_FILTER_SQL_MAX);
	if (ok && filter != NULL) {
		fuzz_check(search_filter_condition(filter, 12, &sql));
		check_sql(&sql);
		check_values(search_filter_values(filter));
	} else if (!ok) {
		fuzz_check(err_status(err.code) == 400 && err.detail[0] != '\0' &&
		    err.detail[strlen(err.detail) - 1] == '.' &&
		    json_utf8_valid(slice_str(err.detail)));
	}
	buf_free(&sql);
	arena_free(arena);
	return 0;
}
