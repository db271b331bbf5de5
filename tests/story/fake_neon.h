/* SPDX-License-Identifier: MIT */
/*
 * fake_neon: Neon's API for one project of the tenant acme, which fake_web plays; no other
 * connection is made, and Redis keeps no rate. What is asked is written down, in order.
 */
#ifndef TESTS_STORY_FAKE_NEON_H
#define TESTS_STORY_FAKE_NEON_H

#include "fake_web.h"

struct fake_neon {
	char asked[1024]; /* "claim PATCH off done " */
	/* statuses of its answers; 0: none comes */
	int patch, branches, deletes, list;
	const char *listed; /* the id of a project of acme's name; NULL: there is none */
	const char *owner;  /* whom its annotations name; NULL: nobody */
};
extern struct fake_neon fake_neon;

void fake_neon_note(const char *what);
fake_web_fn fake_neon_fetch;

#endif
