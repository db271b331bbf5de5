/* SPDX-License-Identifier: MIT */
/*
 * buf.c: growing bytes with a ceiling.
 *
 * What always holds: len <= cap <= max, data holds cap + 1 bytes, and data[len] is NUL once there
 * is data. Every append goes through buf_extend(), so the ceiling is checked in one place.
 */
#include "tenantgate/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST 64 /* the first capacity, bytes */

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	/* One byte is kept for the NUL, and doubling must not wrap. */
	b->max = max < SIZE_MAX / 4 ? max : SIZE_MAX / 4;
}

void
buf_free(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = b->no_memory = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

/* Doubles the capacity, so that appending byte by byte copies each byte a bounded number of times;
 * need <= max is the caller's check. False without memory: the old data stays. */
static bool
buf_grow(struct buf *b, size_t need)
{
	size_t cap = b->cap == 0 ? BUF_FIRST : b->cap * 2;
	char *data;

	if (cap < need)
		cap = need;
	if (cap > b->max)
		cap = b->max;
	data = realloc(b->data, cap + 1);
	if (data == NULL)
		return false;
	b->data = data;
	b->cap = cap;
	return true;
}

/* Once failed, always failed until buf_reset(): a message with a piece missing in the middle must
 * not look whole. */
char *
buf_extend(struct buf *b, size_t n)
{
	char *end;

	if (b->failed)
		return NULL;
	if (n > b->max - b->len) {
		b->failed = true;
		return NULL;
	}
	if ((b->data == NULL || n > b->cap - b->len) && !buf_grow(b, b->len + n)) {
		b->failed = b->no_memory = true;
		return NULL;
	}
	end = b->data + b->len;
	b->len += n;
	b->data[b->len] = '\0';
	return end;
}

/* For one allocation where many appends are known to come. */
void
buf_reserve(struct buf *b, size_t n)
{
	if (n > b->max - b->len)
		n = b->max - b->len;
	if ((b->data == NULL || n > b->cap - b->len) && buf_grow(b, b->len + n))
		b->data[b->len] = '\0';
}

bool
buf_add(struct buf *b, const void *bytes, size_t n)
{
	char *end = buf_extend(b, n);

	if (end == NULL)
		return false;
	if (n > 0)
		memcpy(end, bytes, n);
	return true;
}

bool
buf_puts(struct buf *b, const char *text)
{
	return buf_add(b, text, strlen(text));
}

bool
buf_putc(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

bool
buf_slice(struct buf *b, struct slice s)
{
	return buf_add(b, s.p, s.len);
}

bool
buf_uint(struct buf *b, uint64_t n)
{
	char text[20]; /* digits of UINT64_MAX */
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return buf_add(b, text + at, sizeof(text) - at);
}

/* Formatted twice: once for the length, once in place. vsnprintf() writes its NUL at data[len]. */
bool
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *end;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return false;
	}
	end = buf_extend(b, (size_t)n);
	if (end == NULL)
		return false;
	va_start(ap, fmt);
	vsnprintf(end, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return true;
}

/* Appends the low n bytes of v, most significant first: all of them or none. */
static bool
buf_big_endian(struct buf *b, uint64_t v, size_t n)
{
	char *end = buf_extend(b, n);

	if (end == NULL)
		return false;
	while (n > 0) {
		end[--n] = (char)v;
		v >>= 8;
	}
	return true;
}

bool
buf_be16(struct buf *b, uint16_t v)
{
	return buf_big_endian(b, v, sizeof(v));
}

bool
buf_be32(struct buf *b, uint32_t v)
{
	return buf_big_endian(b, v, sizeof(v));
}

bool
buf_be64(struct buf *b, uint64_t v)
{
	return buf_big_endian(b, v, sizeof(v));
}

/* Moves what is left, the NUL included, to the front: for a reader that consumes whole messages,
 * not single bytes, or it would cost the square of the length. */
void
buf_drop(struct buf *b, size_t n)
{
	assert(n <= b->len);
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len + 1);
}

void
buf_cut(struct buf *b, size_t len)
{
	assert(len <= b->len);
	b->len = len;
	if (b->data != NULL)
		b->data[len] = '\0';
}
