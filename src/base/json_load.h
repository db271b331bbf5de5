/* SPDX-License-Identifier: MIT */
/*
 * json_load: the one call of jansson's parser, for those who say themselves where a text is broken.
 * Private to base/.
 */
#ifndef BASE_JSON_LOAD_H
#define BASE_JSON_LOAD_H

#include "tenantgate/base/json.h"

/* Any value, no name twice in an object; more_flags: JSON_ALLOW_NUL, or 0. NULL with err set
 * (nested too deep, no memory), or with err as it was, and what jansson says in *fault. */
json_t		*json_load_text(struct slice text, size_t more_flags, json_error_t *fault,
		    struct err *) __attribute__((warn_unused_result));
/* In words of ours: jansson's own quote the input, which may hold prompts and keys and would end up
 * in logs. */
const char	*json_fault_reason(const json_error_t *);

#endif
