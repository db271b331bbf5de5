/* SPDX-License-Identifier: MIT */
/*
 * chunk: cuts a text into overlapping pieces of at most so many UTF-16 units, exactly as
 * LangChain's RecursiveCharacterTextSplitter does (keepSeparator true; textsplitters 0.0.3 to
 * 1.0.2), so that documents stored by an app that used it and by us are cut into the same passages.
 *
 *	range --first separator that occurs--> parts --short--> window --full--> a chunk
 *	  ^                                      |
 *	  +------ long, with the next separators-+
 *
 * What always holds:
 *  - Separators stay at the head of the part behind them, so every part, window and chunk is a
 *    range of the input: only offsets move, and no text is copied.
 *  - The window's parts touch each other, and hold at most `size` units in all.
 *  - Where JavaScript would cut a surrogate pair in two, the whole character stays together.
 *
 * The recursion is as deep as the list of separators is long; each level reads a byte once, so
 * the time is linear in the text, whatever the text is.
 */
#define _GNU_SOURCE /* memmem */
#include <assert.h>
#include <stdlib.h>

#include "retrieval/text.h"

static const char *const text_separators[] = { "\n\n", "\n", " ", "", NULL };

/* As the splitter has them: the first-level heading is not among them. */
static const char *const markdown_separators[] = { "\n## ", "\n### ", "\n#### ", "\n##### ",
	"\n###### ", "```\n\n", "\n\n***\n\n", "\n\n---\n\n", "\n\n___\n\n", "\n\n", "\n", " ", "",
	NULL };

static const char *const *const separator_lists[] = {
	[CHUNK_TEXT] = text_separators,
	[CHUNK_MARKDOWN] = markdown_separators,
};

/* A piece between two separators. */
struct text_part {
	const char *end; /* borrowed, the text's; it begins where the one before ends */
	unsigned units;
};

struct splitter {
	unsigned size;	  /* of a chunk, UTF-16 units */
	unsigned overlap; /* at most that many units of the chunk before */
	unsigned page;
	struct chunk_list *list; /* borrowed */

	/* The window: a ring of parts. */
	struct text_part *ring; /* owned; as many as a window can have */
	size_t cap;
	size_t head;
	size_t count;
	const char *begin; /* of the window's first part */
	size_t total;	   /* units in the window */
};

/* Length as JavaScript counts: two for a character outside the basic plane. */
static size_t
chunk_units(const char *p, const char *end)
{
	size_t units = 0;

	for (; p < end; p++) {
		unsigned char c = (unsigned char)*p;

		units += (c & 0xc0) != 0x80;
		units += c >= 0xf0;
	}
	return units == 0 ? 1 : units;
}

/* Past one UTF-8 character; of broken UTF-8, past one byte at least and the continuation bytes
 * behind it. Never past the end. */
static const char *
next_character(const char *p, const char *end)
{
	p++;
	while (p < end && ((unsigned char)*p & 0xc0) == 0x80)
		p++;
	return p;
}

/* ---- what String.prototype.trim() takes away ---- */

/* The three-byte ones. ECMA-262: WhiteSpace (with U+FEFF and Unicode's Zs) and LineTerminator. */
static bool
is_wide_space(const unsigned char *p)
{
	switch (p[0] << 16 | p[1] << 8 | p[2]) {
	case 0xe19a80: /* U+1680 */
	case 0xe280a8: /* U+2028 */
	case 0xe280a9: /* U+2029 */
	case 0xe280af: /* U+202F */
	case 0xe2819f: /* U+205F */
	case 0xe38080: /* U+3000 */
	case 0xefbbbf: /* U+FEFF */
		return true;
	}
	return p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0x80 && p[2] <= 0x8a; /* U+2000-200A */
}

/* Bytes of the space that begins at p, 0 when there is none. */
static size_t
space_at(const char *text, size_t left)
{
	const unsigned char *p = (const unsigned char *)text;

	if (left >= 1 && (p[0] == ' ' || (p[0] >= '\t' && p[0] <= '\r')))
		return 1;
	if (left >= 2 && p[0] == 0xc2 && p[1] == 0xa0)
		return 2;
	if (left >= 3 && is_wide_space(p))
		return 3;
	return 0;
}

/* The same, of the space that ends at `end`. */
static size_t
space_before(const char *begin, const char *end)
{
	for (size_t n = 1; n <= 3 && n <= (size_t)(end - begin); n++) {
		if (space_at(end - n, n) == n)
			return n;
	}
	return 0;
}

struct slice
text_trim(struct slice text)
{
	const char *begin = text.p, *end = text.p + text.len;
	size_t n;

	while (begin < end && (n = space_at(begin, (size_t)(end - begin))) > 0)
		begin += n;
	while (begin < end && (n = space_before(begin, end)) > 0)
		end -= n;
	return slice_of(begin, (size_t)(end - begin));
}

/* ---- the list of chunks ---- */

/* Room for one more; doubled, so that a document's chunks are copied a few times at most. */
static bool
list_grow(struct chunk_list *l)
{
	size_t cap = l->cap == 0 ? 64 : l->cap * 2;
	struct chunk *items;

	if (l->count < l->cap)
		return true;
	items = reallocarray(l->items, cap, sizeof(*items));
	if (items == NULL)
		return false;
	l->items = items;
	l->cap = cap;
	return true;
}

/* Blank ones are left out, as the splitter does. False at the ceiling or without memory. */
static bool
chunk_emit(struct splitter *s, struct slice content)
{
	struct chunk_list *l = s->list;

	if (content.len == 0)
		return true;
	if (l->count >= l->max || !list_grow(l))
		return false;
	l->items[l->count] = (struct chunk){ (unsigned)l->count, s->page, content };
	l->count++;
	return true;
}

/* ---- the window ---- */

static struct text_part *
window_last(struct splitter *s)
{
	return &s->ring[(s->head + s->count - 1) % s->cap];
}

/* The oldest part leaves the window. */
static void
window_pop(struct splitter *s)
{
	struct text_part *first = &s->ring[s->head];

	assert(s->count > 0);
	s->total -= first->units;
	s->begin = first->end;
	s->head = (s->head + 1) % s->cap;
	s->count--;
}

/* The window's range becomes a chunk; the window stays as it is. */
static bool
window_emit(struct splitter *s)
{
	if (s->count == 0)
		return true;
	return chunk_emit(s,
	    text_trim(slice_of(s->begin, (size_t)(window_last(s)->end - s->begin))));
}

/* Adds a part. Where it would not fit any more, the window first becomes a chunk, and only its last
 * parts stay, as the overlap with the next: `overlap` units at most, and less where the new part
 * needs the room. */
static bool
window_add(struct splitter *s, const char *begin, const char *end, size_t units)
{
	if (s->total + units > s->size) {
		if (!window_emit(s))
			return false;
		while (s->total > s->overlap || (s->total + units > s->size && s->total > 0))
			window_pop(s);
	}
	if (s->count == 0)
		s->begin = begin;
	s->count++;
	assert(s->count <= s->cap);
	*window_last(s) = (struct text_part){ end, (unsigned)units };
	s->total += units;
	return true;
}

/* The window becomes a chunk and is empty: nothing overlaps over this point. */
static bool
window_flush(struct splitter *s)
{
	bool ok = window_emit(s);

	s->head = s->count = s->total = 0;
	return ok;
}

/* ---- cutting ---- */

/* NULL when it does not occur. Not memmem(): it prepares itself anew for each of the many short
 * parts, and for separators of a few bytes that does not pay. */
static const char *
find_separator(const char *p, const char *end, const char *sep)
{
	size_t n = strlen(sep);

	while ((size_t)(end - p) >= n) {
		p = memchr(p, sep[0], (size_t)(end - p) - n + 1);
		if (p == NULL || memcmp(p, sep, n) == 0)
			return p;
		p++;
	}
	return NULL;
}

/* The first separator of the list that occurs. Both lists end in "", which always does. */
static const char *const *
choose_separators(struct slice text, const char *const *separators)
{
	for (;; separators++) {
		const char *sep = *separators;

		if (sep[0] == '\0' || memmem(text.p, text.len, sep, strlen(sep)) != NULL)
			return separators;
		assert(separators[1] != NULL);
	}
}

/* Where the part at p ends: before the next separator, or behind one character where there is
 * none to cut at. */
static const char *
part_end(const char *p, const char *end, const char *sep)
{
	const char *found;

	if (sep[0] == '\0')
		return next_character(p, end);
	found = find_separator(p + 1, end, sep);
	return found == NULL ? end : found;
}

static bool split_range(struct splitter *, struct slice, const char *const *);

/* A part as long as a chunk, or longer: cut with the next separators, or, where none is left (rest
 * NULL), a chunk as it is. */
static bool
split_long(struct splitter *s, struct slice part, const char *const *rest)
{
	if (!window_flush(s))
		return false;
	if (rest == NULL)
		return chunk_emit(s, part);
	return split_range(s, part, rest);
}

/* One level: cuts before every occurrence of one separator. A part of exactly `size` units counts
 * as long, as it does in the splitter. */
static bool
split_range(struct splitter *s, struct slice text, const char *const *separators)
{
	const char *const *sep = choose_separators(text, separators);
	const char *const *rest = (*sep)[0] == '\0' ? NULL : sep + 1;
	const char *end = text.p + text.len;
	const char *next;

	for (const char *p = text.p; p < end; p = next) {
		size_t units;
		bool ok;

		next = part_end(p, end, *sep);
		units = chunk_units(p, next);
		ok = units < s->size ? window_add(s, p, next, units)
				     : split_long(s, slice_of(p, (size_t)(next - p)), rest);
		if (!ok)
			return false;
	}
	return window_flush(s);
}

bool
chunk_split(struct slice text, unsigned page, enum chunk_separators separators, unsigned size,
    unsigned overlap, struct chunk_list *list)
{
	struct splitter s = { .size = size, .overlap = overlap, .page = page, .list = list };
	bool ok;

	assert(size > 0 && overlap < size);
	if (text.len == 0)
		return true;
	/* A part has one unit or more, so a window has `size` parts at most. */
	s.cap = text.len < size ? text.len : size;
	s.ring = calloc(s.cap, sizeof(*s.ring));
	if (s.ring == NULL)
		return false;
	ok = split_range(&s, text, separator_lists[separators]);
	free(s.ring);
	return ok;
}

void
chunk_free(struct chunk_list *list)
{
	free(list->items);
	list->items = NULL;
	list->count = list->cap = 0;
}
