/* SPDX-License-Identifier: MIT */
/*
 * chat_job: the body of POST /chat as it is read: its JSON, the text of files that came with it,
 * and the turns that are made of both. Each part is a function for a helper thread (body_job.h).
 */
#ifndef API_CHAT_JOB_H
#define API_CHAT_JOB_H

#include "api/body_job.h"
#include "api/chat_body.h"
#include "api/chat_stream.h"

struct chat_job {
	struct body_job		 job;		/* first */
	struct api_conf		 conf;		/* as its tenant has it */
	double			 temperature;	/* unless the body says; < 0: not sent */
	struct slice		 named;		/* X-Tenantgate-Stream; in the arena */
	struct slice		 accept;	/* the same */
	struct chat_input	 input;		/* strings in the arena */
	enum stream_kind	 stream;
	struct chat_file	*file;		/* the PDF that is being read; NULL: none */
};

/* Takes the request's body over. */
struct chat_job	*chat_job_new(struct request *);
void		 chat_job_free(void *);		/* an offload_drop_fn; NULL is fine */
/* The three parts, each an offload_fn that leaves job.err. The stream's form depends on the body
 * too, so the first one chooses it, while the parsed JSON lives. */
void		 chat_job_read(void *);
void		 chat_job_file(void *);
void		 chat_job_turns(void *);

#endif
