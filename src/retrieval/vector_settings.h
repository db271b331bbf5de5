/* SPDX-License-Identifier: MIT */
/*
 * vector_settings: what a search wants to be set for its transaction, where the session's own
 * (search_settings()) do not do: behind a pooler, and by the index for many chunks, or among some
 * documents'.
 */
#ifndef RETRIEVAL_VECTOR_SETTINGS_H
#define RETRIEVAL_VECTOR_SETTINGS_H

#include "retrieval/vector_statement.h"

#define VECTOR_SETTINGS_SIZE 256

/* False: nothing is to be set. Else a BEGIN and the settings are in out. */
bool	vector_settings(enum vector_way, unsigned k, bool has_session,
	    char out[VECTOR_SETTINGS_SIZE]);

#endif
