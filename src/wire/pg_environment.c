/* SPDX-License-Identifier: MIT */
/*
 * pg_environment: what libpq would take from the environment of whoever started us. A variable that
 * is meant for psql at a prompt (PGSERVICE, PGTARGETSESSIONATTRS, PGSSLMINPROTOCOLVERSION ...)
 * would make every login fail, or go where it should not; and HOME is still root's after root was
 * given up, where libpq may not look for its files.
 */
#include <stdlib.h>
#include <string.h>

#include "tenantgate/wire/pg.h"

#define VARIABLE_NAME_MAX 128

extern char **environ;

/* The first variable that begins with PG and whose name fits, or NULL. */
static const char *
pg_variable_next(char name[VARIABLE_NAME_MAX])
{
	char **v;
	size_t len;

	for (v = environ; v != NULL && *v != NULL; v++) {
		len = strcspn(*v, "=");
		if (strncmp(*v, "PG", 2) != 0 || len >= VARIABLE_NAME_MAX)
			continue;
		memcpy(name, *v, len);
		name[len] = '\0';
		return name;
	}
	return NULL;
}

void
pg_environment_clear(void)
{
	char name[VARIABLE_NAME_MAX];

	while (pg_variable_next(name) != NULL && unsetenv(name) == 0)
		;
	unsetenv("HOME");
}
