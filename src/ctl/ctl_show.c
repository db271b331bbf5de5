/* SPDX-License-Identifier: MIT */
/*
 * ctl_show: an answer as a table, or as lines of names and values.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

#define COLUMNS_MAX 24
#define CELL_MAX    4096
#define INDENT	    2

struct table {
	char *members[COLUMNS_MAX]; /* owned */
	size_t widths[COLUMNS_MAX];
	bool is_number[COLUMNS_MAX]; /* to the right */
	unsigned count;
};

static void
table_add(struct table *t, const char *member, size_t len)
{
	char *copy = t->count < COLUMNS_MAX ? strndup(member, len) : NULL;

	if (copy == NULL)
		return;
	t->widths[t->count] = ctl_width(copy);
	t->members[t->count++] = copy;
}

static void
table_columns(struct table *t, const json_t *rows, const char *columns)
{
	const char *member;
	json_t *value;

	if (columns == NULL) {
		json_object_foreach(json_array_get(rows, 0), member, value)
			table_add(t, member, strlen(member));
		return;
	}
	while (*columns != '\0') {
		size_t n = strcspn(columns, " ");

		table_add(t, columns, n);
		columns += n + strspn(columns + n, " ");
	}
}

static void
cell_text(struct buf *b, const struct table *t, unsigned i, const json_t *row)
{
	buf_reset(b);
	ctl_value_text(b, t->members[i], ctl_member(row, t->members[i]));
	if (b->len == 0)
		buf_putc(b, '-');
}

static void
table_measure(struct table *t, const json_t *rows, struct buf *cell)
{
	size_t at;
	json_t *row;

	for (unsigned i = 0; i < t->count; i++)
		t->is_number[i] = json_array_size(rows) > 0;
	json_array_foreach((json_t *)rows, at, row)
		for (unsigned i = 0; i < t->count; i++) {
			const json_t *value = ctl_member(row, t->members[i]);
			size_t width;

			cell_text(cell, t, i, row);
			width = ctl_width(cell->data);
			t->widths[i] = width > t->widths[i] ? width : t->widths[i];
			if (value != NULL && !json_is_null(value) && !json_is_number(value))
				t->is_number[i] = false;
		}
}

/* The last column has no blanks behind it, so that a line is no longer than what it says. */
static void
cell_print(const struct table *t, unsigned i, const char *text)
{
	int blanks = (int)(t->widths[i] - ctl_width(text));

	if (i > 0)
		(void)fputs("  ", stdout);
	if (t->is_number[i])
		printf("%*s%s", blanks, "", text);
	else
		printf("%s%*s", text, i + 1 < t->count ? blanks : 0, "");
}

void
ctl_print_rows(const json_t *rows, const char *columns)
{
	struct table t = { 0 };
	struct buf cell;
	size_t at;
	json_t *row;

	buf_init(&cell, CELL_MAX);
	table_columns(&t, rows, columns);
	table_measure(&t, rows, &cell);
	for (unsigned i = 0; i < t.count; i++)
		cell_print(&t, i, t.members[i]);
	putchar('\n');
	json_array_foreach((json_t *)rows, at, row) {
		for (unsigned i = 0; i < t.count; i++) {
			cell_text(&cell, &t, i, row);
			cell_print(&t, i, cell.data);
		}
		putchar('\n');
	}
	for (unsigned i = 0; i < t.count; i++)
		free(t.members[i]);
	buf_free(&cell);
}

static bool
is_rows(const json_t *value)
{
	return json_is_array(value) && json_is_object(json_array_get(value, 0));
}

static void
object_print(const json_t *object, int indent)
{
	const char *member;
	json_t *value;
	size_t width = 0;
	struct buf text;

	json_object_foreach((json_t *)object, member, value)
		if (!json_is_object(value) && !is_rows(value))
			width = ctl_width(member) > width ? ctl_width(member) : width;
	buf_init(&text, CELL_MAX);
	json_object_foreach((json_t *)object, member, value) {
		if (json_is_object(value) || is_rows(value)) {
			printf("%*s%s\n", indent, "", member);
			if (json_is_object(value))
				object_print(value, indent + INDENT);
			else
				ctl_print_rows(value, NULL);
			continue;
		}
		buf_reset(&text);
		ctl_value_text(&text, member, value);
		printf("%*s%s%*s  %s\n", indent, "", member, (int)(width - ctl_width(member)), "",
		    text.len > 0 ? text.data : "-");
	}
	buf_free(&text);
}

void
ctl_print_object(const json_t *object)
{
	object_print(object, 0);
}
