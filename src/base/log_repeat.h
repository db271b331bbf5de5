/* SPDX-License-Identifier: MIT */
/*
 * log_repeat: which of a flood of equal events are printed, so that a client who provokes a line
 * with every request cannot fill the disk. Any thread.
 */
#ifndef TENANTGATE_BASE_LOG_REPEAT_PRIVATE_H
#define TENANTGATE_BASE_LOG_REPEAT_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

/* True when this one is to be printed; *hidden is then how many of its kind were not, since the one
 * printed last. now_us: monotonic. */
bool	log_repeat_admit(int level, const char *event, uint64_t now_us, uint64_t *hidden);

#endif
