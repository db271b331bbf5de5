/* SPDX-License-Identifier: MIT */
/*
 * documents_patch_body: what PATCH /documents/{id} changes. Pure.
 */
#ifndef API_DOCUMENTS_PATCH_BODY_H
#define API_DOCUMENTS_PATCH_BODY_H

#include <jansson.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/retrieval.h"

/* Each given field replaces what is stored. False with ERR_INVALID_FIELD naming the field that is
 * unknown, null or not of its kind, or when there is none; ERR_OVERLOADED without memory. Strings
 * are in the arena. */
bool	documents_patch_read(const json_t *, struct arena *, struct document_change *,
	    struct err *);

#endif
