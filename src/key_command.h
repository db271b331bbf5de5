/* SPDX-License-Identifier: MIT */
/*
 * key: `tenantgate key create`: the first keys, made from the command line. Main thread only.
 */
#ifndef KEY_H
#define KEY_H

#include "conf.h"

/* argv after "key". Prints the key on stdout, once; the exit status. */
int	key_command(const struct conf *, int argc, char **argv);
/* The usage lines, for --help. */
extern const char key_usage[];

#endif
