/* SPDX-License-Identifier: MIT */
/*
 * model-api-quote: the answer of a stand-in that understands nothing: the one or two sentences of
 * the passages that share the most words with the question, with the [n] of their passage. It reads
 * the prompt as src/retrieval/prompt.c writes it.
 */
#define _GNU_SOURCE /* memmem */
#include "model-api.h"

#define QUESTION_WORDS 64  /* of it that count */
#define SENTENCE_MAX   420 /* bytes quoted of one */
#define SENTENCE_MIN   20  /* a heading or a page number says nothing */

struct question {
	struct word words[QUESTION_WORDS];
	size_t count;
};

struct match {
	struct slice text;
	unsigned mark; /* the [n] of its passage */
	double score;
};

static bool
question_has(const struct question *q, uint64_t hash)
{
	size_t i;

	for (i = 0; i < q->count; i++)
		if (q->words[i].hash == hash)
			return true;
	return false;
}

static void
question_read(struct question *q, struct slice text)
{
	struct word word;

	while (q->count < QUESTION_WORDS && word_next(&text, &word))
		if (!question_has(q, word.hash))
			q->words[q->count++] = word;
}

/* The weight of the question's words that are in it, a little less for a long one. */
static double
sentence_score(const struct question *q, struct slice text)
{
	bool met[QUESTION_WORDS] = { false };
	double score = 0;
	size_t words = 0, i;
	struct word word;

	for (; word_next(&text, &word); words++) {
		for (i = 0; i < q->count; i++) {
			if (q->words[i].hash == word.hash && !met[i]) {
				met[i] = true;
				score += (double)word.weight;
			}
		}
	}
	return score / (1 + 0.01 * (double)words);
}

/* Up to a full stop before a space, or an empty line. */
static struct slice
sentence_next(struct slice *rest)
{
	struct slice s = slice_of(rest->p, 0);
	size_t i = 0;

	for (; i < rest->len; i++) {
		char c = rest->p[i], next = i + 1 < rest->len ? rest->p[i + 1] : '\n';

		if (((c == '.' || c == '!' || c == '?') && (next == ' ' || next == '\n')) ||
		    (c == '\n' && next == '\n')) {
			i++;
			break;
		}
	}
	s.len = i;
	rest->p += i;
	rest->len -= i;
	while (s.len > 0 && strchr(" \n\t#>*-", s.p[0]) != NULL) {
		s.p++;
		s.len--;
	}
	return s;
}

/* "[7]" at the beginning of a line: 7, and *len its bytes. */
static unsigned
mark_at(const char *p, size_t left, size_t *len)
{
	unsigned n = 0;
	size_t i;

	if (left < 3 || p[0] != '[')
		return 0;
	for (i = 1; i < left && i < 5 && p[i] >= '0' && p[i] <= '9'; i++)
		n = n * 10 + (unsigned)(p[i] - '0');
	*len = i + 1;
	return i > 1 && i < left && p[i] == ']' ? n : 0;
}

/* Past the line that names the file: up to the first empty one. */
static struct slice
passage_text(struct slice passage)
{
	const char *empty = memmem(passage.p, passage.len, "\n\n", 2);
	size_t skip = empty == NULL ? 0 : (size_t)(empty - passage.p);

	return slice_of(passage.p + skip, passage.len - skip);
}

/* The next passage: from its mark to the next one. What stands before the first is no passage. */
static bool
passage_next(struct slice *rest, struct slice *passage, unsigned *mark)
{
	size_t i, len = 0, from = 0;
	unsigned n;

	*mark = 0;
	for (i = 0; i < rest->len; i++) {
		if ((i > 0 && rest->p[i - 1] != '\n') ||
		    (n = mark_at(rest->p + i, rest->len - i, &len)) == 0)
			continue;
		if (*mark != 0)
			break;
		*mark = n;
		from = i + len;
	}
	*passage = passage_text(slice_of(rest->p + from, i - from));
	rest->p += i;
	rest->len -= i;
	return *mark != 0;
}

/* Keeps the best two; the same sentence twice (chunks overlap) counts once. */
static void
matches_keep(struct match best[2], const struct match *f)
{
	if (f->score <= best[1].score ||
	    (f->text.len == best[0].text.len && best[0].text.len > 0 &&
		memcmp(f->text.p, best[0].text.p, f->text.len) == 0))
		return;
	best[1] = *f;
	if (best[1].score > best[0].score) {
		best[1] = best[0];
		best[0] = *f;
	}
}

static void
passage_search(const struct question *q, struct slice passage, unsigned mark, struct match best[2])
{
	while (passage.len > 0) {
		struct match f = { .text = sentence_next(&passage), .mark = mark };

		/* "end" and a fence's word: prompt.c's line after a passage. */
		if (f.text.len < SENTENCE_MIN || slice_starts(f.text, "end "))
			continue;
		f.score = sentence_score(q, f.text);
		matches_keep(best, &f);
	}
}

/* On one line, cut at a character's start. */
static void
match_put(const struct match *f, struct buf *out)
{
	size_t n = f->text.len < SENTENCE_MAX ? f->text.len : SENTENCE_MAX, i;
	bool space = false;

	while (n < f->text.len && n > 0 && ((unsigned char)f->text.p[n] & 0xc0) == 0x80)
		n--;
	buf_puts(out, " \"");
	for (i = 0; i < n; i++) {
		char c = f->text.p[i];

		if (c == '\n' || c == '\t' || c == '\r')
			c = ' ';
		if (c != ' ' || !space)
			buf_putc(out, c);
		space = c == ' ';
	}
	buf_puts(out, n < f->text.len ? "...\"" : "\"");
	buf_printf(out, " [%u]", f->mark);
}

/* Below this only words that are in every text were shared. */
#define SCORE_MIN 0.5

void
quote_answer(struct slice passages, struct slice question, struct buf *out)
{
	struct match best[2] = { { .score = 0 }, { .score = 0 } };
	struct question q = { .count = 0 };
	struct slice passage;
	unsigned mark;

	question_read(&q, question);
	while (passage_next(&passages, &passage, &mark))
		passage_search(&q, passage, mark, best);
	if (best[0].score < SCORE_MIN) {
		buf_puts(out, "[stand-in model] I found no passage that speaks about this.");
		return;
	}
	buf_puts(out, "[stand-in model] The passages say:");
	match_put(&best[0], out);
	if (best[1].score >= 0.6 * best[0].score && best[1].score >= SCORE_MIN)
		match_put(&best[1], out);
}
