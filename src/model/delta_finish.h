/* SPDX-License-Identifier: MIT */
/*
 * delta_finish: what the servers' words for the end of an answer mean. Pure.
 */
#ifndef TENANTGATE_MODEL_DELTA_FINISH_H
#define TENANTGATE_MODEL_DELTA_FINISH_H

#include <stdbool.h>

#include "tenantgate/base/slice.h"

/* raw: not empty. Sets *reason to one that model.h names; a word that stands for none yet ("null")
 * leaves it. False: the answer was broken off, and the word is an error. */
bool	finish_reason_read(struct slice raw, const char **reason);

#endif
