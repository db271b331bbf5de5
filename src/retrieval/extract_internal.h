/* SPDX-License-Identifier: MIT */
/*
 * extract_internal: sentences that both halves of an extraction say. Private to retrieval/.
 */
#ifndef TENANTGATE_RETRIEVAL_EXTRACT_INTERNAL_H
#define TENANTGATE_RETRIEVAL_EXTRACT_INTERNAL_H

#include "tenantgate/retrieval.h"

#define EXTRACT_TOO_MUCH_TEXT \
	"The document has more than %zu bytes of text; split it, or raise extract_max_text."
#define EXTRACT_NO_PAGES "The PDF has no pages; send one that has some."

#endif
