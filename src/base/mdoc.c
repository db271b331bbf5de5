/* SPDX-License-Identifier: MIT */
/* mdoc: fills lines. */
#include "tenantgate/base/mdoc.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define LINE_BYTES 78 /* mandoc's lint wants at most 80 */

/* A word, escaped; at the start of a line, '.' and '\'' would begin a request. */
static void
mdoc_word(FILE *f, const char *word, size_t len, bool is_first)
{
	if (is_first && (word[0] == '.' || word[0] == '\''))
		fputs("\\&", f);
	for (size_t i = 0; i < len; i++)
		fprintf(f, word[i] == '\\' ? "\\e" : "%c", word[i]);
}

/* A sentence ends with its word where a capital letter follows. */
static bool
ends_sentence(const char *word, size_t len)
{
	const char *next = word + len + strspn(word + len, " ");

	return len > 1 && word[len - 1] == '.' && isupper((unsigned char)*next);
}

/* Filled lines, each sentence on lines of its own, as mdoc(7) wants it. */
void
mdoc_text(FILE *f, const char *text)
{
	size_t column = 0;

	for (const char *word = text + strspn(text, " "); *word != '\0';) {
		size_t len = strcspn(word, " ");

		if (column > 0 && column + 1 + len > LINE_BYTES) {
			fputc('\n', f);
			column = 0;
		}
		if (column > 0)
			fputc(' ', f);
		mdoc_word(f, word, len, column == 0);
		column += len + 1;
		if (ends_sentence(word, len)) {
			fputc('\n', f);
			column = 0;
		}
		word += len + strspn(word + len, " ");
	}
	if (column > 0)
		fputc('\n', f);
}
