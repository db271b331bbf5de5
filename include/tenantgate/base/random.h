/* SPDX-License-Identifier: MIT */
/*
 * random: bytes and ids that nobody can guess, from OpenSSL's generator, which the kernel seeds.
 * Aborts when it fails: a key that can be guessed is worse than no process. Any thread.
 */
#ifndef TENANTGATE_BASE_RANDOM_H
#define TENANTGATE_BASE_RANDOM_H

#include <stddef.h>

void	bytes_random(void *, size_t);

/* n characters and a NUL, of an alphabet of 54 letters and digits without look-alikes: 5.75 bits
 * each. */
void	id_random(char *out, size_t n);

#endif
