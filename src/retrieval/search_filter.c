/* SPDX-License-Identifier: MIT */
/*
 * search_filter: a metadata filter's JSON into a tree, see the header for what it may say.
 *
 *	condition  {name: scalar | {operator: value, ...} | and/or/not: ..., ...}  all of them
 *	           or OpenAI's {type, key, value}, {type, filters}
 *
 * What is not understood is refused, never passed over: a search must not seem narrower than it is.
 * Recursion is bounded by SEARCH_FILTER_DEPTH; what is counted is refused before it is allocated.
 */
#include <string.h>

#include "retrieval/filter_reader.h"

/* Each byte may become six when escaped, and a string's two forms are the same. */
#define VALUES_MAX ((size_t)20 * SEARCH_FILTER_BYTES)

/* An operator of one name. */
struct filter_word {
	const char *text;
	enum filter_op op;
	bool is_negated;
};

static const struct filter_word filter_words[] = {
	{ "eq", FILTER_EQ, false },
	{ "ne", FILTER_EQ, true },
	{ "in", FILTER_IN, false },
	{ "nin", FILTER_IN, true },
	{ "lt", FILTER_LT, false },
	{ "lte", FILTER_LTE, false },
	{ "gt", FILTER_GT, false },
	{ "gte", FILTER_GTE, false },
	{ "exists", FILTER_EXISTS, false },
};
#define FILTER_WORDS "eq, ne, in, nin, lt, lte, gt, gte or exists"

static struct filter_node *read_condition(struct filter_reader *, const json_t *,
    const struct filter_place *, unsigned depth);

static bool
out_of_memory(struct filter_reader *r)
{
	err_set(r->err, ERR_OVERLOADED, ERR_NO_MEMORY, "the filter");
	return false;
}

/* NULL, to be returned: as filter_refuse(). */
static struct filter_node *
place_refuse(struct filter_reader *r, const struct filter_place *place, const char *wanted)
{
	(void)filter_refuse(r, place, wanted);
	return NULL;
}

static struct filter_node *
node_new(struct filter_reader *r, enum filter_op op)
{
	struct filter_node *n;

	if (r->nodes++ == SEARCH_FILTER_NODES) {
		err_set(r->err, ERR_INVALID_FIELD,
		    "The filter has more than %d conditions; send fewer, or one \"in\" with many "
		    "values.",
		    SEARCH_FILTER_NODES);
		return NULL;
	}
	n = arena_alloc(r->arena, sizeof(*n));
	if (n == NULL)
		(void)out_of_memory(r);
	else
		n->op = op;
	return n;
}

/* The child is NULL after an error. */
static struct filter_node *
node_over(struct filter_reader *r, enum filter_op op, struct filter_node *first)
{
	struct filter_node *n = first == NULL ? NULL : node_new(r, op);

	if (n != NULL)
		n->first = first;
	return n;
}

/* `place`: the value's. */
static struct filter_node *
read_comparison(struct filter_reader *r, struct slice name, const struct filter_word *word,
    const json_t *value, const struct filter_place *place)
{
	struct filter_node *n = node_new(r, word->op);

	if (n == NULL || !filter_read_name(r, n, name, place) ||
	    !filter_read_value(r, n, value, place))
		return NULL;
	if (word->is_negated || (word->op == FILTER_EXISTS && json_is_false(value)))
		return node_over(r, FILTER_NOT, n);
	return n;
}

static const struct filter_word *
word_find(const char *text)
{
	for (size_t i = 0; text != NULL && i < sizeof(filter_words) / sizeof(filter_words[0]); i++)
		if (strcmp(text, filter_words[i].text) == 0)
			return &filter_words[i];
	return NULL;
}

/* ---- several conditions ---- */

/* The children of one AND or OR, as they are read. */
struct filter_list {
	struct filter_node *first, **end;
};

/* False when the child is NULL, after an error. */
static bool
child_add(struct filter_list *list, struct filter_node *child)
{
	if (child == NULL)
		return false;
	*list->end = child;
	list->end = &child->next;
	return true;
}

/* One child needs nothing around it. */
static struct filter_node *
children_join(struct filter_reader *r, enum filter_op op, const struct filter_list *list)
{
	return list->first->next == NULL ? list->first : node_over(r, op, list->first);
}

/* {"gte": 2020, "lt": 2024} of one name. */
static struct filter_node *
read_operators(struct filter_reader *r, const char *name, json_t *operators,
    const struct filter_place *place)
{
	struct filter_list list = { NULL, &list.first };
	const char *text;
	json_t *value;

	json_object_foreach(operators, text, value) {
		const struct filter_place at = { .above = place, .name = text };
		const struct filter_word *word = word_find(text);

		if (word == NULL)
			return place_refuse(r, &at, "one of the operators " FILTER_WORDS);
		if (!child_add(&list, read_comparison(r, slice_str(name), word, value, &at)))
			return NULL;
	}
	if (list.first == NULL)
		return place_refuse(r, place,
		    "a value, or an object with an operator: " FILTER_WORDS);
	return children_join(r, FILTER_AND, &list);
}

/* The list of an and, or an or. */
static struct filter_node *
read_conditions(struct filter_reader *r, enum filter_op op, const json_t *conditions,
    const struct filter_place *place, unsigned depth)
{
	struct filter_list list = { NULL, &list.first };
	json_t *condition;
	size_t i;

	if (json_array_size(conditions) == 0)
		return place_refuse(r, place, "an array of at least one filter");
	json_array_foreach(conditions, i, condition) {
		const struct filter_place at = { .above = place, .index = i };

		if (!child_add(&list, read_condition(r, condition, &at, depth + 1)))
			return NULL;
	}
	return children_join(r, op, &list);
}

static struct filter_node *
read_member(struct filter_reader *r, const char *name, json_t *value,
    const struct filter_place *place, unsigned depth)
{
	const struct filter_place at = { .above = place, .name = name };

	if (strcmp(name, "and") == 0)
		return read_conditions(r, FILTER_AND, value, &at, depth);
	if (strcmp(name, "or") == 0)
		return read_conditions(r, FILTER_OR, value, &at, depth);
	if (strcmp(name, "not") == 0)
		return node_over(r, FILTER_NOT, read_condition(r, value, &at, depth + 1));
	if (json_is_object(value))
		return read_operators(r, name, value, &at);
	if (json_is_array(value))
		return place_refuse(r, &at, "a value; for one of several write {\"in\": [...]}");
	return read_comparison(r, slice_str(name), &filter_words[0], value, &at);
}

/* ---- OpenAI's form ---- */

static bool
is_typed(const json_t *object)
{
	return json_object_get(object, "type") != NULL &&
	    (json_object_get(object, "key") != NULL || json_object_get(object, "filters") != NULL);
}

static struct filter_node *
read_typed(struct filter_reader *r, const json_t *object, const struct filter_place *place,
    unsigned depth)
{
	const char *type = json_string_value(json_object_get(object, "type"));
	const json_t *key = json_object_get(object, "key");
	const json_t *filters = json_object_get(object, "filters");
	const struct filter_place type_at = { .above = place, .name = "type" };
	const struct filter_place key_at = { .above = place, .name = "key" };
	const struct filter_place value_at = { .above = place, .name = "value" };
	const struct filter_place filters_at = { .above = place, .name = "filters" };
	bool is_and = type != NULL && strcmp(type, "and") == 0;

	if (json_object_size(object) != (filters != NULL ? 2u : 3u))
		return place_refuse(r, place,
		    "type, key and value, or type and filters, and no more");
	if (filters != NULL && !is_and && (type == NULL || strcmp(type, "or") != 0))
		return place_refuse(r, &type_at, "and or or");
	if (filters != NULL)
		return read_conditions(r, is_and ? FILTER_AND : FILTER_OR, filters, &filters_at,
		    depth);
	if (word_find(type) == NULL)
		return place_refuse(r, &type_at, FILTER_WORDS);
	if (!json_is_string(key))
		return place_refuse(r, &key_at, "a string");
	return read_comparison(r, slice_of(json_string_value(key), json_string_length(key)),
	    word_find(type), json_object_get(object, "value"), &value_at);
}

static struct filter_node *
read_condition(struct filter_reader *r, const json_t *object, const struct filter_place *place,
    unsigned depth)
{
	struct filter_list list = { NULL, &list.first };
	const char *name;
	json_t *value;

	if (depth > SEARCH_FILTER_DEPTH) {
		err_set(r->err, ERR_INVALID_FIELD,
		    "The filter is nested deeper than %d objects; send a flatter one.",
		    SEARCH_FILTER_DEPTH);
		return NULL;
	}
	if (json_object_size(object) == 0)
		return place_refuse(r, place, "an object with a condition");
	if (is_typed(object))
		return read_typed(r, object, place, depth);
	json_object_foreach((json_t *)object, name, value)
		if (!child_add(&list, read_member(r, name, value, place, depth)))
			return NULL;
	return children_join(r, FILTER_AND, &list);
}

/* The tree and its values, as the arena's. False without memory. */
static bool
filter_keep(struct filter_reader *r, const struct filter_node *root,
    const struct search_filter **out)
{
	struct search_filter *filter = arena_alloc(r->arena, sizeof(*filter));

	if (filter == NULL || !buf_putc(&r->values, ']'))
		return false;
	filter->root = root;
	filter->values = arena_slice(r->arena, buf_view(&r->values));
	*out = filter->values == NULL ? NULL : filter;
	return *out != NULL;
}

bool
search_filter_read(const json_t *value, const char *field, struct arena *arena,
    const struct search_filter **out, struct err *err)
{
	struct filter_reader r = { .arena = arena, .err = err };
	const struct filter_place place = { .name = field };
	const struct filter_node *root;
	bool ok;

	*out = NULL;
	if (value == NULL || json_is_null(value) ||
	    (json_is_object(value) && json_object_size(value) == 0))
		return true;
	buf_init(&r.values, VALUES_MAX);
	root = read_condition(&r, value, &place, 1);
	ok = root != NULL && filter_keep(&r, root, out);
	if (!ok && !err_is(err))
		(void)out_of_memory(&r);
	buf_free(&r.values);
	return ok;
}
