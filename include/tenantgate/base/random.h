/* SPDX-License-Identifier: MIT */
/*
 * random: what nobody can guess, from the system's generator (OpenSSL's, seeded by the kernel).
 * Aborts when there is none: a guessable key would be worse than no process. Any thread.
 */
#ifndef TENANTGATE_BASE_RANDOM_H
#define TENANTGATE_BASE_RANDOM_H

#include <stddef.h>

void	bytes_random(void *, size_t);

/* n characters of a 54-letter alphabet without look-alikes, NUL added: 5.7 bits each. */
void	id_random(char *out, size_t n);

#endif
