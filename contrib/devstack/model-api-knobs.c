/* SPDX-License-Identifier: MIT */
/*
 * model-api-knobs: one table of the knobs, by which they are read from JSON or from
 * `name=value,...` and printed. A new knob is a member of struct knobs and a row here.
 */
#include <stdlib.h>

#include "model-api.h"
#include "tenantgate/base/json.h"

#define KNOB_MAX 100000000 /* of a value */

struct knob {
	const char *name;
	size_t offset;
};

#define KNOB(name) \
	{ \
#name, offsetof(struct knobs, name) \
	}
static const struct knob table[] = {
	KNOB(token_delay_ms),
	KNOB(first_delay_ms),
	KNOB(tokens),
	KNOB(fail),
	KNOB(fail_chat),
	KNOB(fail_embeddings),
	KNOB(fail_times),
	KNOB(retry_after),
	KNOB(quota),
	KNOB(stall_header),
	KNOB(stall_after),
	KNOB(cut_after),
	KNOB(error_after),
	KNOB(huge_event),
	KNOB(echo),
	KNOB(embed_delay_ms),
	KNOB(stall_embeddings),
	KNOB(bad_vectors),
	KNOB(fail_rerank),
	KNOB(rerank_delay_ms),
	KNOB(stall_rerank),
	KNOB(bad_rerank),
};
#define KNOBS (sizeof(table) / sizeof(table[0]))

static unsigned *
knob_find(struct knobs *k, struct slice name)
{
	size_t i;

	for (i = 0; i < KNOBS; i++)
		if (slice_is(name, table[i].name))
			return (unsigned *)((char *)k + table[i].offset);
	return NULL;
}

bool
knobs_json(struct knobs *k, const json_t *root)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)root, name, value) {
		unsigned *knob = knob_find(k, slice_str(name));
		json_int_t n = json_is_true(value) ? 1 : json_integer_value(value);

		if (knob == NULL || (!json_is_integer(value) && !json_is_boolean(value)) || n < 0 ||
		    n > KNOB_MAX)
			return false;
		*knob = (unsigned)n;
	}
	return true;
}

static bool
knob_pair(struct knobs *k, struct slice pair)
{
	const char *equals = memchr(pair.p, '=', pair.len);
	size_t name = equals == NULL ? pair.len : (size_t)(equals - pair.p);
	unsigned *knob = knob_find(k, slice_trim(slice_of(pair.p, name)));
	char digits[12] = "1";
	unsigned long n;
	char *end;

	if (knob == NULL)
		return false;
	if (equals != NULL) {
		if (pair.len - name - 1 >= sizeof(digits))
			return false;
		memcpy(digits, equals + 1, pair.len - name - 1);
		digits[pair.len - name - 1] = '\0';
	}
	n = strtoul(digits, &end, 10);
	if (digits[0] < '0' || digits[0] > '9' || *end != '\0' || n > KNOB_MAX)
		return false;
	*knob = (unsigned)n;
	return true;
}

bool
knobs_text(struct knobs *k, struct slice text)
{
	while (text.len > 0) {
		const char *comma = memchr(text.p, ',', text.len);
		size_t n = comma == NULL ? text.len : (size_t)(comma - text.p);

		if (n > 0 && !knob_pair(k, slice_of(text.p, n)))
			return false;
		n += comma != NULL;
		text.p += n;
		text.len -= n;
	}
	return true;
}

void
knobs_put(const struct knobs *k, struct buf *out)
{
	size_t i;

	for (i = 0; i < KNOBS; i++)
		buf_printf(out, "%c\"%s\":%u", i == 0 ? '{' : ',', table[i].name,
		    *(const unsigned *)((const char *)k + table[i].offset));
	buf_putc(out, '}');
}
