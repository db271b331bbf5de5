/* SPDX-License-Identifier: MIT */
/*
 * admin_progress: see the header. The response begins with its first line, so that what fails
 * before it is a status.
 */
#define _GNU_SOURCE /* memmem */
#include "admin/admin_progress.h"

#include "tenantgate/base/json.h"

#define LINE_MAX_BYTES (1u << 20)

static const char ndjson[] = "application/x-ndjson";

/* An exact reading of weights (RFC 9110, 12.4.2) would only matter to who names it and does not
 * want it. */
static bool
wants_lines(const struct admin_request *req)
{
	struct slice accept = http_header(req->x, "Accept");

	return accept.len > 0 && memmem(accept.p, accept.len, ndjson, sizeof(ndjson) - 1) != NULL;
}

static void
progress_put(struct admin_request *req, json_t *line)
{
	struct buf b;

	buf_init(&b, LINE_MAX_BYTES);
	if (line != NULL && json_put(&b, line)) {
		buf_putc(&b, '\n');
		if (http_status(req->x) == 0)
			http_stream_begin(req->x, 200, ndjson);
		http_stream_add(req->x, buf_view(&b));
	}
	buf_free(&b);
	json_decref(line);
}

void
admin_progress_tell(struct admin_request *req, json_t *line)
{
	if (wants_lines(req))
		progress_put(req, line);
	else
		json_decref(line);
}

enum flow_rc
admin_progress_flush(struct flow *f)
{
	struct admin_request *req = admin_request_of(f);

	return http_status(req->x) == 0 ? FLOW_NEXT : http_stream_flush(f, req->x);
}

enum flow_rc
admin_progress_done(struct flow *f, json_t *outcome)
{
	struct admin_request *req = admin_request_of(f);

	if (outcome != NULL)
		json_object_set_new(outcome, "done", json_true());
	if (!wants_lines(req))
		return admin_respond_json(f, 200, outcome);
	progress_put(req, outcome);
	if (http_status(req->x) != 0)
		http_stream_end(req->x);
	return FLOW_DONE;
}

void
admin_progress_end(struct admin_request *req, const struct err *err)
{
	struct buf b;

	if (!err_is(err) || http_status(req->x) == 0 || !wants_lines(req))
		return;
	buf_init(&b, LINE_MAX_BYTES);
	buf_puts(&b, "{\"error\":");
	http_problem_put(&b, err, req->request_id);
	buf_puts(&b, "}\n");
	http_stream_add(req->x, buf_view(&b));
	http_stream_end(req->x);
	buf_free(&b);
}
