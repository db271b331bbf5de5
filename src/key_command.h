/* SPDX-License-Identifier: MIT */
/*
 * key_command: `tenantgate key` makes, lists and revokes API keys, from the command line. Main
 * thread only.
 */
#ifndef KEY_COMMAND_H
#define KEY_COMMAND_H

#include "conf.h"

/* argv: what follows "key". Prints the key on stdout, this once (the catalog keeps a hash of it),
 * or the reason on stderr. Returns the exit status: 0, 1, or 2 for a wrong command line. */
int	key_command(const struct conf *, int argc, char **argv);
/* The usage lines, for --help. */
extern const char key_usage[];

#endif
