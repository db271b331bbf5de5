/* SPDX-License-Identifier: MIT */
/*
 * conf_string: the strings a conf owns, as a list. They live as long as the conf, for the modules
 * borrow them, and are wiped at its end, for some are secrets.
 */
#include "conf_internal.h"

#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/secret.h"

struct conf_string {
	struct conf_string *next;
	size_t len;
	char text[];
};

const char *
conf_keep(struct conf *conf, struct slice text)
{
	struct conf_string *s = xmalloc(sizeof(*s) + text.len + 1);

	s->len = text.len;
	if (text.len > 0)
		memcpy(s->text, text.p, text.len);
	s->text[text.len] = '\0';
	s->next = conf->owned;
	conf->owned = s;
	return s->text;
}

void
conf_free(struct conf *conf)
{
	struct conf_string *s;

	while ((s = conf->owned) != NULL) {
		conf->owned = s->next;
		bytes_wipe(s->text, s->len);
		free(s);
	}
	free(conf->settings);
	*conf = (struct conf){ 0 };
}
