/* SPDX-License-Identifier: MIT */
/*
 * conf_manual: prints the manual page tenantgate.conf(5) out of the tables of keys, in mdoc(7). A
 * test compares contrib/man/tenantgate.conf.5 with what is printed here.
 */
#include "conf_internal.h"
#include "tenantgate/base/mdoc.h"

static const char head[] =
    ".\\\" SPDX-License-Identifier: MIT\n"
    ".\\\" Made by `tenantgate --manual` out of the tables of keys.\n"
    ".Dd November 28, 2026\n"
    ".Dt TENANTGATE.CONF 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm tenantgate.conf\n"
    ".Nd configuration of tenantgate\n"
    ".Sh DESCRIPTION\n"
    "The file has lines\n"
    ".Ql key = value\n"
    "under a line with their section:\n"
    ".Ql [tenantgate] ,\n"
    "then any number of\n"
    ".Ql [model NAME]\n"
    "and\n"
    ".Ql [plan NAME] .\n"
    "What begins with\n"
    ".Ql #\n"
    "is a comment.\n"
    "A key may stand once.\n"
    "One that is not known is an error, and the nearest is named.\n"
    ".Pp\n"
    "Values may hold\n"
    ".Ql ${NAME}\n"
    "or\n"
    ".Ql ${NAME:-default}\n"
    "from the environment;\n"
    ".Ql $$\n"
    "is a dollar sign.\n"
    "Secrets, and URLs with passwords, may be\n"
    ".Ql @FILE\n"
    "instead.\n"
    "Neither this file, if it holds secrets, nor such a file may be readable by\n"
    "others.\n"
    "Sizes have a unit (B KiB MiB GiB), times too (us ms s m h d).\n"
    ".Ql %include FILE\n"
    "reads another file, with its own\n"
    ".Ql [section] .\n"
    ".Pp\n"
    "Where the meaning is that of PgBouncer or nginx, so is the name.\n";

static const char tail[] = ".Sh FILES\n"
			   ".Bl -tag -width Ds\n"
			   ".It Pa tenantgate.conf.sample\n"
			   "Every key, with its default: what\n"
			   ".Ql tenantgate --sample\n"
			   "prints.\n"
			   ".El\n"
			   ".Sh EXAMPLES\n"
			   ".Bd -literal -offset indent\n"
			   "[tenantgate]\n"
			   "catalog_url   = ${TENANTGATE_CATALOG_URL}\n"
			   "seal_keys     = @/etc/tenantgate/seal-keys\n"
			   "redis_url     = redis://127.0.0.1:6379\n"
			   "provider      = neon\n"
			   "neon_api_key  = @/etc/tenantgate/neon-api-key\n"
			   "model_api_key = @/etc/tenantgate/model-api-key\n"
			   "\n"
			   "[plan free]\n"
			   "max_documents = 50\n"
			   ".Ed\n"
			   ".Sh SEE ALSO\n"
			   ".Xr tenantgatectl 1 ,\n"
			   ".Xr tenantgate 8\n";

static void
manual_words(FILE *f, const struct conf_key *k)
{
	fputs("One of\n", f);
	for (const struct conf_word *w = k->words; w->word != NULL; w++)
		fprintf(f, ".Cm %s%s\n", w->word, w[1].word == NULL ? " ." : " ,");
}

static void
manual_default(FILE *f, const struct conf_key *k)
{
	if (k->default_text[0] == '=')
		fprintf(f, "The default is what\n.Ic %s\nof\n.Ql [tenantgate]\nhas.\n",
		    k->default_text + 1);
	else if (k->default_text[0] == '$')
		fprintf(f, "It must be set, as\n.Ql %s .\n", k->default_text);
	else if (k->default_text[0] == '\0')
		fputs("Empty by default.\n", f);
	else
		fprintf(f, "The default is\n.Ql %s .\n", k->default_text);
}

static void
manual_key(FILE *f, const struct conf_key *k)
{
	fprintf(f, ".It Ic %s\n", k->name);
	mdoc_text(f, k->help);
	if (k->words != NULL)
		manual_words(f, k);
	manual_default(f, k);
}

static void
manual_section(FILE *f, const struct conf_section *s)
{
	bool is_list = false;

	if (s->item_size == 0) {
		fputs(".Sh THE SECTION TENANTGATE\n", f);
	} else {
		fprintf(f, ".Sh SECTIONS %s NAME\n", s->kind);
		mdoc_text(f, s->help);
	}
	for (unsigned i = 0; i < conf_key_count(s); i++) {
		const struct conf_key *k = conf_key_at(s, i);
		bool is_group = k->type == CONF_GROUP;

		if (is_group && is_list)
			fputs(".El\n", f);
		if (is_group)
			fprintf(f, ".Ss %s\n", k->name);
		if (is_group || !is_list)
			fputs(".Bl -tag -width Ds\n", f);
		is_list = true;
		if (!is_group)
			manual_key(f, k);
	}
	fputs(".El\n", f);
}

void
conf_print_manual(FILE *f)
{
	fputs(head, f);
	for (unsigned i = 0; i < conf_section_count; i++)
		manual_section(f, &conf_sections[i]);
	fputs(tail, f);
}
