/* SPDX-License-Identifier: MIT */
/*
 * plan_value: a plan's values for operators, one by one.
 */
#include <inttypes.h>
#include <string.h>

#include "plan/plan_table.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/language.h"

const char *
plan_value_name(enum plan_value value)
{
	return plan_rows[value].name;
}

enum plan_origin
plan_value_origin(const struct plan *p, enum plan_value value)
{
	unsigned bit = 1u << value;

	if (p->of_tenant & bit)
		return PLAN_OF_TENANT;
	return p->name != NULL && (p->of_section & bit) ? PLAN_OF_SECTION : PLAN_OF_DEFAULTS;
}

static void
put_plan_text(struct buf *b, const struct plan *p, const struct plan_row *row)
{
	const char *text;

	memcpy(&text, (const char *)p + row->offset, sizeof(text));
	if (text != NULL)
		json_put_string(b, slice_str(text));
	else
		buf_puts(b, "null");
}

void
plan_value_put(struct buf *b, const struct plan *p, enum plan_value value)
{
	const struct plan_row *row = &plan_rows[value];

	switch (row->type) {
	case PLAN_WHOLE:
		buf_printf(b, "%" PRIu64, plan_whole(p, row));
		break;
	case PLAN_SWITCH:
		buf_puts(b, plan_whole(p, row) != 0 ? "true" : "false");
		break;
	case PLAN_LANGUAGE:
		json_put_string(b, slice_str(language_name((enum language)plan_whole(p, row))));
		break;
	case PLAN_NUMBER:
		if (p->temperature < 0)
			buf_puts(b, "null");
		else
			buf_printf(b, "%g", p->temperature);
		break;
	case PLAN_TEXT:
		put_plan_text(b, p, row);
		break;
	}
}
