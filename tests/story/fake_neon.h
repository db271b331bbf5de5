/* SPDX-License-Identifier: MIT */
/*
 * fake_neon: Neon's API for one project of the tenant acme, linked in place of wire/web; no other
 * connection is made, and Redis keeps no rate. What is asked is written down, in order.
 */
#ifndef TESTS_STORY_FAKE_NEON_H
#define TESTS_STORY_FAKE_NEON_H

struct fake_neon {
	char asked[1024]; /* "claim PATCH off done " */
	/* statuses of its answers; 0: none comes */
	int patch, branches, deletes, list;
	const char *listed; /* the id of a project of acme's name; NULL: there is none */
	const char *owner;  /* whom its annotations name; NULL: nobody */
};
extern struct fake_neon fake_neon;

void fake_neon_note(const char *what);

#endif
