/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "tenantgate/retrieval/text_language.h"

/* PostgreSQL 14's, in the order in which they are told. */
static const char *const languages[] = { "simple", "arabic", "armenian", "basque", "catalan",
	"danish", "dutch", "english", "finnish", "french", "german", "greek", "hindi", "hungarian",
	"indonesian", "irish", "italian", "lithuanian", "nepali", "norwegian", "portuguese",
	"romanian", "russian", "serbian", "spanish", "swedish", "tamil", "turkish", "yiddish" };

const char *
text_language_find(struct slice name)
{
	for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
		if (slice_is(name, languages[i]))
			return languages[i];
	}
	return NULL;
}
