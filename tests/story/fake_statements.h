/* SPDX-License-Identifier: MIT */
/*
 * fake_statements: connections without a server, linked in place of those of wire/: they are there
 * at once, and a statement is under way until the test ends it.
 */
#ifndef TESTS_STORY_FAKE_STATEMENTS_H
#define TESTS_STORY_FAKE_STATEMENTS_H

#include "tenantgate/wire/pg.h"

unsigned fake_statements_running(void);
const char *fake_statements_newest(void); /* the SQL of the one that began last; "" at first */
void fake_statements_end_oldest(void);	  /* the one that began first ends well */

#endif
