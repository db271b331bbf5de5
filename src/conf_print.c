/* SPDX-License-Identifier: MIT */
/*
 * conf_print: prints the table of keys for people: the sample file, and the list of --help. A test
 * compares conf/tenantgate.conf.sample with what is printed here.
 */
#include "conf_internal.h"

static const char preface[] =
    "# tenantgate.conf: every key, with its default. A key that is commented out has that\n"
    "# default; the others have none and must be set.\n"
    "#\n"
    "# Values may hold ${NAME} or ${NAME:-default} from the environment ($$ is a dollar sign).\n"
    "# Secrets, and URLs with passwords, may be @FILE instead. Neither this file, if it holds\n"
    "# secrets, nor such a FILE may be readable by others. Sizes have a unit (B KiB MiB GiB),\n"
    "# times too (us ms s m h d). `%include FILE` reads another file, with its own [section].\n"
    "#\n"
    "# Check with: tenantgate -t -c FILE\n"
    "\n"
    "[tenantgate]\n";

/* The words a CONF_WORD takes; nothing for other types. */
static void
print_words(FILE *f, const struct conf_key *k)
{
	for (const struct conf_word *w = k->words; w != NULL && w->word != NULL; w++)
		fprintf(f, "%s%s", w == k->words ? "" : " | ", w->word);
}

/* A key with a default is commented out, so that a later build may change it for those who never
 * touched it; one that must be set is not. */
static void
print_sample_key(FILE *f, const struct conf_key *k)
{
	fprintf(f, "\n# %s", k->help);
	if (k->words != NULL) {
		fprintf(f, " (");
		print_words(f, k);
		fprintf(f, ")");
	}
	fprintf(f, "\n%s%s =%s%s\n", k->default_text[0] == '$' ? "" : "#", k->name,
	    k->default_text[0] == '\0' ? "" : " ", k->default_text);
}

void
conf_print_sample(FILE *f)
{
	fputs(preface, f);
	for (unsigned i = 0; i < conf_key_count; i++) {
		if (conf_keys[i].type == CONF_GROUP)
			fprintf(f, "\n\n## %s\n", conf_keys[i].name);
		else
			print_sample_key(f, &conf_keys[i]);
	}
}

void
conf_print_keys(FILE *f)
{
	for (unsigned i = 0; i < conf_key_count; i++) {
		const struct conf_key *k = &conf_keys[i];

		if (k->type == CONF_GROUP) {
			fprintf(f, "%s%s:\n", i == 0 ? "" : "\n", k->name);
			continue;
		}
		fprintf(f, "  %s = %s\n      %s", k->name, k->default_text, k->help);
		if (k->words != NULL) {
			fputs(" (", f);
			print_words(f, k);
			fputs(")", f);
		}
		fputc('\n', f);
	}
}
