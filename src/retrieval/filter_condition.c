/* SPDX-License-Identifier: MIT */
/*
 * filter_condition: a metadata filter as SQL.
 *
 * Each comparison is made two-valued by coalesce(), so that NOT is the complement. Equality is
 * jsonb's containment: an array contains a scalar when it is one of its elements, a scalar what is
 * equal to it, and numbers are equal by value. Order is jsonpath's: it compares numbers as numbers
 * and strings by their bytes, never one with the other, where jsonb's own operators would order
 * all types in one line and strings by the database's collation. It is asked in strict mode, for
 * lax mode would look into arrays inside of arrays.
 *
 * The SQL names indexes into the parameter alone. Operators and functions have their schema, for a
 * role's search path may lead anywhere (wire/pg_sql.h).
 */
#include <assert.h>

#include "retrieval/filter_tree.h"
#include "tenantgate/wire/pg_sql.h"

#define JSONB_CONTAINS	  " OPERATOR(pg_catalog.@>) "
#define JSONB_MEMBER	  " OPERATOR(pg_catalog.->) "
#define JSONB_MEMBER_TEXT " OPERATOR(pg_catalog.->>) "

/* Two forms of one value are the same number to whoever reads JSON (search_filter.c): what is below
 * it is below both. */
static const char *
order_predicate(enum filter_op op)
{
	switch (op) {
	case FILTER_LT:
		return "(@ < $a && @ < $b)";
	case FILTER_LTE:
		return "(@ <= $a || @ <= $b)";
	case FILTER_GT:
		return "(@ > $a && @ > $b)";
	case FILTER_GTE:
		return "(@ >= $a || @ >= $b)";
	default:
		return NULL;
	}
}

static void
put_value(struct buf *sql, unsigned param, unsigned index)
{
	buf_printf(sql, "($%u::pg_catalog.jsonb" JSONB_MEMBER "%u)", param, index);
}

/* What the document has of that name; SQL null when it has nothing. */
static void
put_stored(struct buf *sql, unsigned param, const struct filter_node *n)
{
	buf_printf(sql,
	    "(d.metadata" JSONB_MEMBER "($%u::pg_catalog.jsonb" JSONB_MEMBER_TEXT "%u))", param,
	    n->name);
}

static void
put_is_array(struct buf *sql, unsigned param, const struct filter_node *n)
{
	buf_puts(sql, "pg_catalog.jsonb_typeof");
	put_stored(sql, param, n);
	buf_puts(sql, PG_EQUALS "'array'");
}

/* An array as a list contains every scalar that is one of it; another array when it has all of that
 * one's elements, which is not meant: of a stored array each element is looked at, those that are
 * arrays themselves are not. */
static void
put_in(struct buf *sql, unsigned param, const struct filter_node *n)
{
	buf_puts(sql, "CASE WHEN ");
	put_is_array(sql, param, n);
	buf_puts(sql, " THEN EXISTS (SELECT FROM pg_catalog.jsonb_array_elements");
	put_stored(sql, param, n);
	buf_puts(sql, " AS one (value) WHERE ");
	put_value(sql, param, n->value);
	buf_puts(sql,
	    JSONB_CONTAINS "one.value AND pg_catalog.jsonb_typeof(one.value)" PG_DIFFERS
			   "'array') ELSE ");
	put_value(sql, param, n->value);
	buf_puts(sql, JSONB_CONTAINS);
	put_stored(sql, param, n);
	buf_puts(sql, " END");
}

/* `true`: what jsonpath calls an error is no match. */
static void
put_path(struct buf *sql, unsigned param, const struct filter_node *n, const char *among)
{
	buf_puts(sql, "pg_catalog.jsonb_path_exists(");
	put_stored(sql, param, n);
	buf_printf(sql, ", 'strict %s ? %s'::pg_catalog.jsonpath, ", among, order_predicate(n->op));
	put_value(sql, param, n->value);
	buf_puts(sql, ", true)");
}

static void
put_order(struct buf *sql, unsigned param, const struct filter_node *n)
{
	buf_puts(sql, "CASE WHEN ");
	put_is_array(sql, param, n);
	buf_puts(sql, " THEN ");
	put_path(sql, param, n, "$[*]");
	buf_puts(sql, " ELSE ");
	put_path(sql, param, n, "$");
	buf_puts(sql, " END");
}

static void
put_comparison(struct buf *sql, unsigned param, const struct filter_node *n)
{
	if (n->op == FILTER_EXISTS) {
		put_stored(sql, param, n);
		buf_puts(sql, " IS NOT NULL");
		return;
	}
	buf_puts(sql, "coalesce(");
	if (n->op == FILTER_EQ) {
		put_stored(sql, param, n);
		buf_puts(sql, JSONB_CONTAINS);
		put_value(sql, param, n->value);
	} else if (n->op == FILTER_IN) {
		put_in(sql, param, n);
	} else {
		put_order(sql, param, n);
	}
	buf_puts(sql, ", false)");
}

/* Recursive, by SEARCH_FILTER_DEPTH at most. */
static void
put_node(struct buf *sql, unsigned param, const struct filter_node *n)
{
	const char *between = n->op == FILTER_OR ? " OR " : " AND ";

	buf_puts(sql, n->op == FILTER_NOT ? "(NOT " : "(");
	if (n->op > FILTER_NOT)
		put_comparison(sql, param, n);
	for (const struct filter_node *child = n->first; child != NULL; child = child->next) {
		if (child != n->first)
			buf_puts(sql, between);
		put_node(sql, param, child);
	}
	buf_putc(sql, ')');
}

bool
search_filter_condition(const struct search_filter *filter, unsigned param, struct buf *sql)
{
	assert(param > 0);
	put_node(sql, param, filter->root);
	return !sql->failed;
}

const char *
search_filter_values(const struct search_filter *filter)
{
	return filter->values;
}
