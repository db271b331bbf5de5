/* SPDX-License-Identifier: MIT */
/*
 * complaining_reader: in the place of tenantgate-extract, a reader that complains: it writes the
 * text that the "document" on stdin asks for. A program and no script, for tenantgate starts it by
 * a descriptor.
 */
#include <stdio.h>
#include <string.h>

int
main(void)
{
	char document[256];
	size_t n = fread(document, 1, sizeof(document) - 1, stdin);

	document[n] = '\0';
	if (strstr(document, "pages") == NULL)
		fputs("Syntax Error: Missing language pack for 'Adobe-Japan1' mapping\n", stderr);
	else
		fputs("Syntax Error (7): Unknown filter 'x'\n", stderr);
	if (strstr(document, "all") == NULL)
		fputs("Total 42", stdout);
	fputs(strstr(document, "pages") == NULL ? "\f" : "\f\f\f", stdout);
	return 0;
}
