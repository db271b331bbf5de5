/* SPDX-License-Identifier: MIT */
/*
 * ctl_value: one value of the answer as people read it. Whatever is in it, a terminal obeys none of
 * it: an application may call a tenant as it likes.
 */
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "ctl/ctl.h"

#define TEXT_MAX_BYTES 4096

static bool
name_ends(const char *name, const char *lower, const char *upper)
{
	size_t n = strlen(name), k = strlen(lower);

	return n >= k && (strcmp(name + n - k, lower) == 0 || strcmp(name + n - k, upper) == 0);
}

static void
put_size(struct buf *b, double bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned i = 0;

	while (bytes >= 1024 && i + 1 < sizeof(units) / sizeof(units[0])) {
		bytes /= 1024;
		i++;
	}
	buf_printf(b, i == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, units[i]);
}

static void
put_duration(struct buf *b, double s)
{
	if (s < 0.001 && s > 0)
		buf_printf(b, "%.0f us", s * 1e6);
	else if (s < 1 && s > 0)
		buf_printf(b, "%.1f ms", s * 1e3);
	else if (s < 120)
		buf_printf(b, s < 10 && s > 0 ? "%.1f s" : "%.0f s", s);
	else if (s < 2 * 3600)
		buf_printf(b, "%.0f min", s / 60);
	else if (s < 2 * 86400)
		buf_printf(b, "%.0f h", s / 3600);
	else
		buf_printf(b, "%.0f d", s / 86400);
}

static void
put_number(struct buf *b, const char *member, const json_t *value)
{
	double n = json_number_value(value);

	if (name_ends(member, "bytes", "Bytes"))
		put_size(b, n);
	else if (name_ends(member, "seconds", "Seconds"))
		put_duration(b, n);
	else if (json_is_integer(value))
		buf_printf(b, "%lld", (long long)json_integer_value(value));
	else
		buf_printf(b, "%.3g", n);
}

static void
put_shown(struct buf *b, const char *text)
{
	char clean[TEXT_MAX_BYTES];

	err_text_copy(clean, sizeof(clean), text);
	buf_puts(b, *clean != '\0' ? clean : "-");
}

static void value_put(struct buf *, const char *member, const json_t *value);

/* In a table: "acme 3, beta 1" of who holds how much. */
static void
put_values(struct buf *b, const json_t *object)
{
	const char *name;
	json_t *value;
	bool is_first = true;

	json_object_foreach((json_t *)object, name, value) {
		if (!is_first)
			buf_putc(b, ' ');
		value_put(b, name, value);
		is_first = false;
	}
	if (is_first)
		buf_putc(b, '-');
}

static void
value_put(struct buf *b, const char *member, const json_t *value)
{
	size_t i;
	json_t *item;

	switch (value == NULL ? JSON_NULL : json_typeof(value)) {
	case JSON_STRING:
		put_shown(b, json_string_value(value));
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		put_number(b, member, value);
		break;
	case JSON_TRUE:
		buf_puts(b, "yes");
		break;
	case JSON_FALSE:
		buf_puts(b, "no");
		break;
	case JSON_ARRAY:
		if (json_array_size(value) == 0)
			buf_puts(b, "-");
		json_array_foreach((json_t *)value, i, item) {
			if (i > 0)
				buf_puts(b, ", ");
			value_put(b, member, item);
		}
		break;
	case JSON_OBJECT:
		put_values(b, value);
		break;
	default:
		buf_puts(b, "-");
		break;
	}
}

void
ctl_value_text(struct buf *b, const char *member, const json_t *value)
{
	value_put(b, member, value);
	if (!b->failed)
		return;
	b->failed = false;
	buf_cut(b, b->len < b->max - 3 ? b->len : b->max - 3);
	buf_puts(b, "...");
}

size_t
ctl_width(const char *utf8)
{
	size_t width = 0, left = strlen(utf8);

	while (left > 0) {
		utf8proc_int32_t point;
		utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)utf8,
		    (utf8proc_ssize_t)left, &point);

		if (n <= 0)
			return width + left;
		width += (size_t)utf8proc_charwidth(point);
		utf8 += n;
		left -= (size_t)n;
	}
	return width;
}

json_t *
ctl_member(const json_t *object, const char *path)
{
	while (object != NULL) {
		size_t n = strcspn(path, ".");
		char name[64];

		if (n >= sizeof(name))
			return NULL;
		memcpy(name, path, n);
		name[n] = '\0';
		object = json_object_get(object, name);
		if (path[n] == '\0')
			return (json_t *)object;
		path += n + 1;
	}
	return NULL;
}
