/* SPDX-License-Identifier: MIT */
/*
 * request_job: the writing of a long chat's request as a job for a helper (loop/offload.h): a
 * megabyte of text takes some milliseconds to escape. Private to model/.
 */
#ifndef TENANTGATE_MODEL_REQUEST_JOB_H
#define TENANTGATE_MODEL_REQUEST_JOB_H

#include "model/model_internal.h"

#define REQUEST_HERE_MAX	(64u << 10)	/* bytes of text written in a turn of the loop */

/* Bytes of text in all messages. */
size_t	 chat_text_bytes(const struct model_chat *);

/* A job with copies of all that it reads of call and chat, for the caller's messages live no longer
 * than its flow. NULL: no memory. The request is written by the choice and the trial. */
void	*request_job_new(const struct model_call *, const struct model_chat *);
/* Before it is run: by these as they are now. */
void	 request_job_again(void *, const struct model_call *);
void	 request_job_free(void *);	/* an offload_drop_fn; NULL is fine */
void	 request_job_run(void *);	/* an offload_fn */
/* The body that was written becomes the caller's; false when there was no memory for it. */
bool	 request_job_take(void *, struct buf *body);

#endif
