/* SPDX-License-Identifier: MIT */
/*
 * conf_guess: finds which key was meant by a misspelt one. The distance of two words is the least
 * number of letters put in, left out, exchanged or swapped with their neighbour (optimal string
 * alignment, the restricted Damerau-Levenshtein distance).
 */
#include "conf_internal.h"

#include <string.h>

#define WORD_MAX 63

static unsigned
least_of_three(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* row[j] is the distance of the first i letters of a from the first j of b. Three rows of the table
 * are enough: this one, the last, and the one before for swaps. Both words are of WORD_MAX at
 * most. */
static unsigned
word_distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];
	unsigned n = (unsigned)strlen(a), m = (unsigned)strlen(b);

	for (unsigned j = 0; j <= m; j++)
		last[j] = j;
	for (unsigned i = 1; i <= n; i++) {
		unsigned *free_row = before;

		row[0] = i;
		for (unsigned j = 1; j <= m; j++) {
			row[j] = least_of_three(least_of_three(last[j], row[j - 1]) + 1,
			    last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least_of_three(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = free_row;
	}
	return last[m];
}

/* Up to a quarter of the letters and one more may be wrong; what is farther is another word. */
void
conf_guess_start(struct conf_guess *g, struct slice text)
{
	size_t n = text.len < WORD_MAX ? text.len : WORD_MAX;

	*g = (struct conf_guess){ .distance = 2 + (unsigned)n / 4 };
	memcpy(g->text, text.p, n);
	g->text[n] = '\0';
}

void
conf_guess_try(struct conf_guess *g, const char *name)
{
	size_t n = strlen(name), written = strlen(g->text);
	unsigned d;

	/* What one is longer by must be put in. */
	if (n > WORD_MAX || (n > written ? n - written : written - n) >= g->distance)
		return;
	d = word_distance(g->text, name);
	if (d < g->distance) {
		g->distance = d;
		g->best = name;
	}
}
