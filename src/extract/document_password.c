/* SPDX-License-Identifier: MIT */
/*
 * document_password: a library that tenantgate-extract has loaded into pdftotext when a PDF comes
 * with a password. Arguments of a process can be read by every user of the machine
 * (/proc/PID/cmdline, which shows the strings as exec(2) got them), its environment by its own user
 * alone (proc(5)). So the password is in the environment, and the pointers to the mark in the
 * arguments are turned to it before main() looks.
 *
 * glibc gives constructors the arguments of main().
 */
#include <stdlib.h>
#include <string.h>

#include "tenantgate/retrieval.h"

static void document_password_put(int, char **) __attribute__((constructor));

static void
document_password_put(int argc, char **argv)
{
	char *password = getenv(EXTRACT_PASSWORD_ENV);

	for (int i = 1; password != NULL && i < argc; i++)
		if (strcmp(argv[i], EXTRACT_PASSWORD_MARK) == 0)
			argv[i] = password;
}
