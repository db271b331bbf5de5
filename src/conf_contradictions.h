/* SPDX-License-Identifier: MIT */
/*
 * conf_contradictions: settings that are each fine and do not fit each other, or the machine. A
 * start takes them; `tenantgate -t` warns of them. Pure.
 */
#ifndef CONF_CONTRADICTIONS_H
#define CONF_CONTRADICTIONS_H

#include "conf.h"

/* What the settings are compared with besides each other. */
struct conf_machine {
	uint64_t	memory;		/* bytes that the process may have; 0: not known */
	uint64_t	files_max;	/* descriptors; 0: not known */
};

/* Descriptors that the configuration may need. */
uint64_t	conf_descriptors(const struct conf *);
/* Adds "PLACE: Warning: Sentence.\n" for each. A conf without errors; path: its file, which is the
 * place of what is set nowhere. */
void		conf_contradictions(const struct conf *, const char *path,
		    const struct conf_machine *, struct buf *out);

#endif
