/* SPDX-License-Identifier: MIT */
/*
 * reembed_command: `tenantgate reembed TENANT`.
 */
#ifndef REEMBED_COMMAND_H
#define REEMBED_COMMAND_H

#include "conf.h"

extern const char	reembed_usage[];
/* argv: the words behind `reembed`. The exit status: 0 when the vectors are the configured model's,
 * 1 when they are not and why is on stderr (run again, it goes on from there), 2 for a wrong
 * command line. */
int	reembed_command(const struct conf *, int argc, char **argv);

#endif
