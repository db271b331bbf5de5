/* SPDX-License-Identifier: MIT */
/*
 * filter_tree: a metadata filter as a tree: search_filter.c reads it, filter_condition.c writes it
 * as SQL. Private to these two. All is in an arena.
 */
#ifndef RETRIEVAL_FILTER_TREE_H
#define RETRIEVAL_FILTER_TREE_H

#include "tenantgate/retrieval/search_filter.h"

enum filter_op {
	FILTER_AND,	/* of its children */
	FILTER_OR,
	FILTER_NOT,	/* of its only child */
	FILTER_EXISTS,	/* from here on: of a name */
	FILTER_EQ,
	FILTER_IN,
	FILTER_LT,
	FILTER_LTE,
	FILTER_GT,
	FILTER_GTE,
};

struct filter_node {
	enum filter_op		 op;
	struct filter_node	*first;		/* child */
	struct filter_node	*next;		/* the parent's next child */
	unsigned		 name;		/* index in the values: the name's */
	unsigned		 value;		/* what it is compared with: of EQ a scalar, of IN
						 * an array; of the others an object with two forms
						 * of one value, "a" and "b" */
};

struct search_filter {
	const struct filter_node *root;
	const char		*values;
};

#endif
