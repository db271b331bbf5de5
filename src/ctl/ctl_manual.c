/* SPDX-License-Identifier: MIT */
/*
 * ctl_manual: prints the manual page tenantgatectl(1), its commands out of their table, in mdoc(7).
 * A test compares contrib/man/tenantgatectl.1 with what is printed here.
 */
#include <stdio.h>

#include "ctl/ctl.h"
#include "tenantgate/base/mdoc.h"

static const char head[] =
    ".\\\" SPDX-License-Identifier: MIT\n"
    ".\\\" Made by `tenantgatectl --manual` out of the table of commands.\n"
    ".Dd November 28, 2026\n"
    ".Dt TENANTGATECTL 1\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm tenantgatectl\n"
    ".Nd see, change and repair a running tenantgate\n"
    ".Sh SYNOPSIS\n"
    ".Nm\n"
    ".Op Ar options\n"
    ".Ar command\n"
    ".Op Ar arguments\n"
    ".Sh DESCRIPTION\n"
    ".Nm\n"
    "asks the admin door of a\n"
    ".Xr tenantgate 8\n"
    "that has\n"
    ".Ic admin_listen_port .\n"
    "What it changes holds on all replicas, and is one line of the log of the one\n"
    "that was asked.\n"
    ".Pp\n"
    "The options for every command:\n"
    ".Bl -tag -width Ds\n"
    ".It Fl -url Ar URL\n"
    "The admin door.\n"
    ".It Fl -key-file Ar FILE\n"
    "Has an admin key, and may be read by its owner alone.\n"
    ".It Fl -ca-file Ar FILE\n"
    "Who has signed the certificate of the admin door, where that is no public CA.\n"
    ".It Fl -cert-file Ar FILE\n"
    "A certificate and its key (PEM), where the door asks for one\n"
    ".Pq Ic admin_tls_client_ca .\n"
    ".It Fl -json\n"
    "What the server says, as it says it.\n"
    ".It Fl -dry-run\n"
    "What would be done; nothing is.\n"
    ".It Fl -yes\n"
    "Does not ask before what cannot be undone.\n"
    ".It Fl -limit Ar N , Fl -all\n"
    "Rows of a list; 100 unless given.\n"
    ".It Fl -interval Ar SECONDS , Fl -rounds Ar N\n"
    "How often, and how many times,\n"
    ".Cm top\n"
    "is written.\n"
    ".It Fl -timeout Ar SECONDS\n"
    "How long an answer may take: 120, and no limit for what may take hours.\n"
    ".It Fl -help , Fl -version , Fl -manual\n"
    "Of a command, too:\n"
    ".Nm\n"
    ".Ar command\n"
    ".Fl -help .\n"
    ".El\n"
    ".Sh COMMANDS\n"
    ".Bl -tag -width Ds\n";

static const char tail[] =
    ".El\n"
    ".Sh ENVIRONMENT\n"
    ".Bl -tag -width Ds\n"
    ".It Ev TENANTGATE_ADMIN_URL\n"
    "In the place of\n"
    ".Fl -url .\n"
    ".It Ev TENANTGATE_ADMIN_KEY_FILE\n"
    "In the place of\n"
    ".Fl -key-file .\n"
    ".It Ev TENANTGATE_ADMIN_KEY\n"
    "The key itself.\n"
    ".It Ev TENANTGATE_ADMIN_CA_FILE , Ev TENANTGATE_ADMIN_CERT_FILE\n"
    "In the place of\n"
    ".Fl -ca-file\n"
    "and\n"
    ".Fl -cert-file .\n"
    ".El\n"
    ".Sh EXIT STATUS\n"
    ".Bl -tag -width Ds\n"
    ".It 0\n"
    "Done.\n"
    ".It 1\n"
    "Refused; the sentence says why.\n"
    ".It 2\n"
    "The command line makes no sense, or what was asked before was not confirmed.\n"
    ".It 3\n"
    "No answer, or the server cannot now.\n"
    ".El\n"
    ".Sh EXAMPLES\n"
    "Tenants whose database could not be made, and one of them once more:\n"
    ".Bd -literal -offset indent\n"
    "tenantgatectl tenant list --failed\n"
    "tenantgatectl tenant retry alice\n"
    ".Ed\n"
    ".Sh SEE ALSO\n"
    ".Xr tenantgate.conf 5 ,\n"
    ".Xr tenantgate 8\n";

/* "tenant list" as .Cm, its arguments as .Ar: they are capitals already. */
static void
manual_title(const struct ctl_command *c)
{
	printf(".It Cm %s", c->words);
	if (*c->arguments != '\0')
		printf(" Ar %s", c->arguments);
	putchar('\n');
}

static void
manual_option(const struct ctl_option *o)
{
	printf(".It Fl -%s", o->name);
	if (o->type != CTL_SWITCH)
		printf(" Ar %s", o->value);
	putchar('\n');
	mdoc_text(stdout, o->help);
}

static void
manual_command(const struct ctl_command *c)
{
	manual_title(c);
	mdoc_text(stdout, c->help);
	if (c->options == NULL)
		return;
	printf(".Bl -tag -width Ds -compact\n");
	for (const struct ctl_option *o = c->options; o->name != NULL; o++)
		manual_option(o);
	printf(".El\n");
}

void
ctl_manual_print(void)
{
	fputs(head, stdout);
	for (const struct ctl_command *c = ctl_commands; c->words != NULL; c++)
		manual_command(c);
	fputs(tail, stdout);
}
