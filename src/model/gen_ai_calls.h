/* SPDX-License-Identifier: MIT */
/*
 * gen_ai_calls: where calls are counted. Private to model/.
 */
#ifndef TENANTGATE_MODEL_GEN_AI_CALLS_H
#define TENANTGATE_MODEL_GEN_AI_CALLS_H

#include "model/model_internal.h"
#include "tenantgate/model/gen_ai.h"

/* A call has ended, if it was ever sent: its time, and what it took. Once a request: it begins anew
 * with the next one that is sent. error: ERR_NONE when it was answered. */
void gen_ai_ended(struct model_call *, enum err_code error, const struct model_usage *);
/* A piece of an answer has come. */
void gen_ai_piece(struct model_call *, uint64_t now_us);

#endif
