/* SPDX-License-Identifier: MIT */
/*
 * fake_extract_end: a sentence of extract_end.c, for tests of what is read, without a process.
 */
#include "retrieval/extract_internal.h"

void
extract_too_much_text(struct err *err, size_t text_max)
{
	err_set(err, ERR_DOC_LIMIT, "The document has more than %zu bytes of text; split it.",
	    text_max);
}
