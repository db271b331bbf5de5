/* SPDX-License-Identifier: MIT */
/*
 * language: of a text: how words are made of it for searches by words. The names are PostgreSQL's
 * configurations for text search (its manual, "Full Text Search", "Configuration Example"), those
 * of version 14, which every later server has. A word's ending goes (Snowball), and the commonest
 * words count for nothing; `simple` does neither, and is for languages that have no configuration.
 *
 * Text without blanks between words (Chinese, Japanese, Thai) is no words to any of them: what is
 * between two marks is one word. It is found by its vectors.
 */
#ifndef TENANTGATE_BASE_LANGUAGE_H
#define TENANTGATE_BASE_LANGUAGE_H

#include "tenantgate/base/slice.h"

#define LANGUAGE_TABLE(X) \
	X(simple) X(arabic) X(armenian) X(basque) X(catalan) X(danish) X(dutch) X(english) \
	X(finnish) X(french) X(german) X(greek) X(hindi) X(hungarian) X(indonesian) X(irish) \
	X(italian) X(lithuanian) X(nepali) X(norwegian) X(portuguese) X(romanian) X(russian) \
	X(serbian) X(spanish) X(swedish) X(tamil) X(turkish) X(yiddish)

#define LANGUAGE_ENUM(name) LANGUAGE_##name,
enum language { LANGUAGE_TABLE(LANGUAGE_ENUM) LANGUAGES };
#undef LANGUAGE_ENUM
#define LANGUAGE_USUAL LANGUAGE_english

/* Static. Pure, any thread, as all here. */
const char	*language_name(enum language);
/* LANGUAGES when there is none of that name. */
enum language language_find(struct slice name);
/* "simple arabic ... yiddish", for sentences that refuse another. Static. */
const char	*language_list(void);

#endif
