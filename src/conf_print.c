/* SPDX-License-Identifier: MIT */
/*
 * conf_print: prints the tables of keys for people: the sample file, and the list of --help. A test
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
    "# Check with: tenantgate -t -c FILE. A reload (SIGHUP, tenantgatectl reload) applies all but\n"
    "# what is marked [restart].\n"
    "\n"
    "[tenantgate]\n";

/* The words a CONF_WORD takes; nothing for other types. */
static void
print_words(FILE *f, const struct conf_key *k)
{
	for (const struct conf_word *w = k->words; w != NULL && w->word != NULL; w++)
		fprintf(f, "%s%s", w == k->words ? "" : " | ", w->word);
}

/* The default, or that of the key that it is taken from. */
static const char *
default_of(const struct conf_key *k)
{
	if (k->default_text[0] != '=')
		return k->default_text;
	return conf_key_find(&conf_sections[0], slice_str(k->default_text + 1))->default_text;
}

/* What is said of a default that is another key's; nothing of others. */
static void
print_origin(FILE *f, const struct conf_key *k)
{
	if (k->default_text[0] == '=')
		fprintf(f, " Unless set: as %s.", k->default_text + 1);
	if (k->needs_restart)
		fputs(" [restart]", f);
}

/* A key with a default is commented out, so that a later build may change it for those who never
 * touched it; one that must be set is not, but in a section that need not be there. */
static void
print_sample_key(FILE *f, const struct conf_section *s, const struct conf_key *k)
{
	const char *text = default_of(k);
	bool is_set = text[0] == '$' && s->item_size == 0;

	fprintf(f, "\n# %s", k->help);
	if (k->words != NULL) {
		fprintf(f, " (");
		print_words(f, k);
		fprintf(f, ")");
	}
	print_origin(f, k);
	fprintf(f, "\n%s%s =%s%s\n", is_set ? "" : "#", k->name, text[0] == '\0' ? "" : " ", text);
}

static void
print_sample_section(FILE *f, const struct conf_section *s)
{
	if (s->item_size > 0)
		fprintf(f, "\n\n## %s\n#[%s NAME]\n", s->help, s->kind);
	for (unsigned i = 0; i < conf_key_count(s); i++) {
		if (conf_key_at(s, i)->type == CONF_GROUP)
			fprintf(f, "\n\n## %s\n", conf_key_at(s, i)->name);
		else
			print_sample_key(f, s, conf_key_at(s, i));
	}
	if (s->example != NULL)
		fprintf(f, "\n%s", s->example);
}

void
conf_print_sample(FILE *f)
{
	fputs(preface, f);
	for (unsigned i = 0; i < conf_section_count; i++)
		print_sample_section(f, &conf_sections[i]);
}

static void
print_help_key(FILE *f, const struct conf_key *k)
{
	fprintf(f, "  %s = %s\n      %s", k->name, default_of(k), k->help);
	if (k->words != NULL) {
		fputs(" (", f);
		print_words(f, k);
		fputs(")", f);
	}
	print_origin(f, k);
	fputc('\n', f);
}

void
conf_print_keys(FILE *f)
{
	for (unsigned i = 0; i < conf_section_count; i++) {
		const struct conf_section *s = &conf_sections[i];

		if (s->item_size > 0)
			fprintf(f, "\n[%s NAME]: %s\n", s->kind, s->help);
		for (unsigned j = 0; j < conf_key_count(s); j++) {
			const struct conf_key *k = conf_key_at(s, j);

			if (k->type != CONF_GROUP)
				print_help_key(f, k);
			else
				fprintf(f, "%s%s:\n", i + j == 0 ? "" : "\n", k->name);
		}
	}
}
