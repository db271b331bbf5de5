/* SPDX-License-Identifier: MIT */
/*
 * filter_reader: what the two files share that read a metadata filter: search_filter.c its
 * conditions, filter_value.c what names are compared with. Private to them. All set err where they
 * fail, but for a buf that is full: whoever has read the whole filter looks at that once.
 */
#ifndef RETRIEVAL_FILTER_READER_H
#define RETRIEVAL_FILTER_READER_H

#include <jansson.h>

#include "retrieval/filter_tree.h"
#include "tenantgate/base/slice.h"

/* Where in the filter something is; on the stack of whoever reads it. */
struct filter_place {
	const struct filter_place *above;	/* NULL: the field itself */
	const char		*name;		/* NULL: an element of what is above */
	size_t			 index;
};

struct filter_reader {
	struct arena	*arena;		/* borrowed */
	struct err	*err;		/* borrowed */
	struct buf	 values;	/* owned: the parameter, JSON, as far as it is read */
	unsigned	 value_count;	/* its elements */
	unsigned	 nodes;
	unsigned	 listed;	/* values of all in's */
	size_t		 bytes;		/* of names and strings */
};

/* Always false, to be returned. `wanted`: "a string". */
bool	filter_refuse(struct filter_reader *, const struct filter_place *, const char *wanted);
/* Each appends to the values, and sets the node's index. */
bool	filter_read_name(struct filter_reader *, struct filter_node *, struct slice name,
	    const struct filter_place *) __attribute__((warn_unused_result));
/* By the node's op, which may become FILTER_IN. The value may be NULL: there is none. */
bool	filter_read_value(struct filter_reader *, struct filter_node *, const json_t *value,
	    const struct filter_place *) __attribute__((warn_unused_result));

#endif
