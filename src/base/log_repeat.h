/* SPDX-License-Identifier: MIT */
/*
 * log_repeat: which of a flood of equal events are printed.
 */
#ifndef TENANTGATE_BASE_LOG_REPEAT_PRIVATE_H
#define TENANTGATE_BASE_LOG_REPEAT_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

/* True when this one is printed; *hidden is then how many of its kind were not, since the last. */
bool	log_repeat_admit(int level, const char *event, uint64_t now_us, uint64_t *hidden);

#endif
