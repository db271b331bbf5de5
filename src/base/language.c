/* SPDX-License-Identifier: MIT */
#include "tenantgate/base/language.h"

#include <assert.h>
#include <string.h>

#define NAME_OF(name) #name,
static const char *const names[] = { LANGUAGE_TABLE(NAME_OF) };

/* Behind the first byte, which is a blank. */
#define BEHIND_BLANK(name) " " #name
static const char list[] = LANGUAGE_TABLE(BEHIND_BLANK);

const char *
language_name(enum language language)
{
	assert(language < LANGUAGES);
	return names[language];
}

enum language
language_find(struct slice name)
{
	unsigned i = 0;

	while (i < LANGUAGES && !slice_is(name, names[i]))
		i++;
	return (enum language)i;
}

const char *
language_list(void)
{
	return list + 1;
}
