/* SPDX-License-Identifier: MIT */
/*
 * extract_internal: an extraction under way, and sentences that several of its files say. Private
 * to retrieval/.
 */
#ifndef TENANTGATE_RETRIEVAL_EXTRACT_INTERNAL_H
#define TENANTGATE_RETRIEVAL_EXTRACT_INTERNAL_H

#include "tenantgate/retrieval.h"
#include "tenantgate/wire/proc.h"

#define EXTRACT_NO_PAGES "The PDF has no pages; send one that has some."

struct extraction {
	struct flow flow;
	const struct extract_conf *conf; /* borrowed */
	struct extract_in in;		 /* all borrowed */
	struct proc_result list;	 /* owned bufs: of pictures, where there is no text */
	struct extract_out *out;	 /* borrowed: the caller frees it */
	struct proc_result result;	 /* owned bufs; out moves to the caller when it is good */
	struct share_budget *parsers;	 /* borrowed */
	struct slice tenant;		 /* borrowed */
	struct share_grant parser;
};

/* ERR_DOC_LIMIT, for more than so many bytes. */
void	extract_too_much_text(struct err *, size_t text_max);

/* How its program ended: FLOW_NEXT with its text in x->out, or the reason for the client. */
enum flow_rc	extraction_classify(struct flow *, struct extraction *)
		    __attribute__((warn_unused_result));

#endif
