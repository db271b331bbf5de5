/* SPDX-License-Identifier: MIT */
/*
 * text_language: how the words of documents and questions are made of their text: PostgreSQL's
 * configurations for text search (its manual, "Text Search Configurations"), those that every
 * server has. A word's ending goes (Snowball), and the commonest words count for nothing; `simple`
 * does neither, and is for languages that have no configuration.
 *
 * Text without blanks between words (Chinese, Japanese, Thai) is no words to any of them: what is
 * between two marks is one word. It is searched by vectors.
 */
#ifndef TENANTGATE_RETRIEVAL_TEXT_LANGUAGE_H
#define TENANTGATE_RETRIEVAL_TEXT_LANGUAGE_H

#include "tenantgate/base/slice.h"

#define TEXT_LANGUAGE_USUAL "english"
/* All, for sentences that refuse another. */
#define TEXT_LANGUAGES \
	"simple, arabic, armenian, basque, catalan, danish, dutch, english, finnish, french, " \
	"german, greek, hindi, hungarian, indonesian, irish, italian, lithuanian, nepali, " \
	"norwegian, portuguese, romanian, russian, serbian, spanish, swedish, tamil, turkish or " \
	"yiddish"

/* Static; NULL when it is none. Pure, any thread. */
const char	*text_language_find(struct slice name);

#endif
