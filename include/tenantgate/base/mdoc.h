/* SPDX-License-Identifier: MIT */
/* mdoc: text of tables as source of a manual page (mdoc(7)). Pure. */
#ifndef TENANTGATE_BASE_MDOC_H
#define TENANTGATE_BASE_MDOC_H

#include <stdio.h>

/* Words on filled lines, escaped; each sentence begins a line. Blanks are one. */
void	mdoc_text(FILE *, const char *text);

#endif
