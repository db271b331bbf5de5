/* SPDX-License-Identifier: MIT */
/*
 * json_memory: what jansson does when there is no memory, made safe.
 *
 * It mostly reports a fault of the text ("invalid token"), and the client would be blamed with a
 * 400: so whether an allocation failed is noted. And its lexer does not look whether the buffer of
 * a token grew (jansson 2.14; its issue 362): it goes on, and then reads and writes past that
 * buffer. So what the longest token could need is set aside before a text is read, and given out
 * when an allocation fails; a second failure, of what may be that buffer again, ends the process,
 * as want of memory for small things does everywhere (alloc.h). Private to base/.
 */
#ifndef BASE_JSON_MEMORY_H
#define BASE_JSON_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Before jansson reads a text of so many bytes on this thread. False: there is no memory for it. */
bool	json_memory_begin(size_t bytes);
/* Behind it, always. True when an allocation has failed. */
bool	json_memory_end(void);

#endif
