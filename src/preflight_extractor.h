/* SPDX-License-Identifier: MIT */
/*
 * preflight_extractor: whether the program that reads documents can do so here: it is run once,
 * with an empty document.
 */
#ifndef PREFLIGHT_EXTRACTOR_H
#define PREFLIGHT_EXTRACTOR_H

#include "tenantgate/base/buf.h"

/* Waits for the program, twice wait_ms at the most. False with what it said of itself (one line; no
 * sentence of ours) in `why`: it does not start, does not end, or finds no reader, or no sandbox. A
 * document that is none is no such reason. path: of the program, as of a descriptor
 * (/proc/self/fd/N). */
bool preflight_extractor(const char *path, unsigned wait_ms, struct buf *why);

#endif
