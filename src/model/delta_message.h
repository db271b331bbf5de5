/* SPDX-License-Identifier: MIT */
/*
 * delta_message: the text and the reasoning in the `delta` of a choice, or in its `message`.
 * Private to delta.c, whose part it is.
 */
#ifndef TENANTGATE_MODEL_DELTA_MESSAGE_H
#define TENANTGATE_MODEL_DELTA_MESSAGE_H

#include "model/delta.h"
#include "model/json_scan.h"

/* Reads the value, an object or null, and adds what it says. */
void	delta_message_read(struct delta *, struct json_scan *);
/* A string as written, or null: then raw->p is NULL. Any other type is not the expected shape. */
void	delta_string_read(struct json_scan *, struct slice *raw);

#endif
