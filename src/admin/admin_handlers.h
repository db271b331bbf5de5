/* SPDX-License-Identifier: MIT */
/*
 * admin_handlers: how the table of routes starts each handler of the admin door. A starter makes
 * the handler's flow, which owns the exchange from then on; it does not wait and does not fail.
 */
#ifndef ADMIN_HANDLERS_H
#define ADMIN_HANDLERS_H

#include "admin/admin_request.h"

/* On the exchange's worker. The context outlives the exchange; the match is borrowed for the call
 * only. */
typedef void admin_start_fn(struct http_exchange *, const struct admin_context *,
    const struct admin_match *);

admin_start_fn	keys_create_start, keys_list_start, keys_revoke_start;
admin_start_fn	about_start;
admin_start_fn	metrics_start;
admin_start_fn	config_show_start;
admin_start_fn	shares_start;
admin_start_fn	pools_show_start;
admin_start_fn	flows_start;
admin_start_fn	catalog_adopt_start;
admin_start_fn	orphans_list_start;
admin_start_fn	orphans_remove_start;
admin_start_fn	config_reload_start;
admin_start_fn	passwords_reseal_start;
admin_start_fn	tenant_adopt_start;
admin_start_fn	top_start;
admin_start_fn	usage_list_start;
admin_start_fn	tenant_suspend_start, tenant_resume_start, tenant_delete_start;
admin_start_fn	tenant_receipt_start, tenant_recreate_start;
admin_start_fn	tenants_page_start, tenant_show_start, tenant_limits_start;
admin_start_fn	tenant_create_start, tenant_set_start;
admin_start_fn	tenant_retry_start, tenant_warm_start;
admin_start_fn	tokens_make_start, tokens_revoke_start;

#endif
