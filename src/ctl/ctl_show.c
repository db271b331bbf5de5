/* SPDX-License-Identifier: MIT */
/*
 * ctl_show: an answer as a table, or as lines of names and values.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

#define COLUMNS_MAX    24
#define CELL_MAX       4096
#define NAME_SHOWN_MAX 128
#define INDENT	       2

struct table {
	char *members[COLUMNS_MAX]; /* owned, as the next */
	char *heads[COLUMNS_MAX];   /* the same, as they are shown */
	size_t widths[COLUMNS_MAX];
	bool is_number[COLUMNS_MAX]; /* to the right */
	unsigned count;
};

/* Names are the server's too, and a terminal obeys none of them. */
static char *
shown_name(const char *name)
{
	char clean[NAME_SHOWN_MAX];

	err_text_copy(clean, sizeof(clean), name);
	return strdup(clean);
}

static void
table_add(struct table *t, const char *member, size_t len)
{
	char *copy = t->count < COLUMNS_MAX ? strndup(member, len) : NULL;
	char *head = copy != NULL ? shown_name(copy) : NULL;

	if (head == NULL) {
		free(copy);
		return;
	}
	t->widths[t->count] = ctl_width(head);
	t->heads[t->count] = head;
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

	if (json_array_size(rows) == 0) {
		printf("There are none.\n");
		return;
	}
	buf_init(&cell, CELL_MAX);
	table_columns(&t, rows, columns);
	table_measure(&t, rows, &cell);
	for (unsigned i = 0; i < t.count; i++)
		cell_print(&t, i, t.heads[i]);
	putchar('\n');
	json_array_foreach((json_t *)rows, at, row) {
		for (unsigned i = 0; i < t.count; i++) {
			cell_text(&cell, &t, i, row);
			cell_print(&t, i, cell.data);
		}
		putchar('\n');
	}
	for (unsigned i = 0; i < t.count; i++) {
		free(t.members[i]);
		free(t.heads[i]);
	}
	buf_free(&cell);
}

static bool
is_rows(const json_t *value)
{
	return json_is_array(value) && json_is_object(json_array_get(value, 0));
}

static void object_print(const json_t *, int indent);

/* What has more inside: its name on a line of its own, and the rest further in. */
static void
print_inner(const char *head, const json_t *value, int indent)
{
	printf("%*s%s\n", indent, "", head);
	if (json_is_object(value))
		object_print(value, indent + INDENT);
	else
		ctl_print_rows(value, NULL);
}

static size_t
names_width(const json_t *object)
{
	const char *member;
	json_t *value;
	size_t width = 0;

	json_object_foreach((json_t *)object, member, value) {
		char *head = shown_name(member);

		if (head != NULL && !json_is_object(value) && !is_rows(value) &&
		    ctl_width(head) > width)
			width = ctl_width(head);
		free(head);
	}
	return width;
}

static void
object_print(const json_t *object, int indent)
{
	size_t width = names_width(object);
	const char *member;
	json_t *value;
	struct buf text;

	buf_init(&text, CELL_MAX);
	json_object_foreach((json_t *)object, member, value) {
		char *head = shown_name(member);

		if (head != NULL && (json_is_object(value) || is_rows(value))) {
			print_inner(head, value, indent);
		} else if (head != NULL) {
			buf_reset(&text);
			ctl_value_text(&text, member, value);
			printf("%*s%s%*s  %s\n", indent, "", head, (int)(width - ctl_width(head)),
			    "", text.len > 0 ? text.data : "-");
		}
		free(head);
	}
	buf_free(&text);
}

void
ctl_print_object(const json_t *object)
{
	object_print(object, 0);
}
