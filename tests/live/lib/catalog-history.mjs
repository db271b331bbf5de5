// SPDX-License-Identifier: MIT
// A catalog as an earlier build left it: what each script of src/catalog/catalog_schema.c made, taken
// away again, the newest first. A new script there has its row here.
const made = [
	[18, 'alter table tenants drop column token_generation'],
	[17, 'drop index tenants_project, tenants_address'],
	[16, `drop index tenants_bytewise, tenants_state_bytewise, tenants_plan_bytewise,
		tenants_deleted_bytewise`],
	[15, `drop table adoption_skips, adoptions;
		alter table tenants drop column adopted_at, drop column db_channel_binding;
		alter table documents drop column is_adopted`],
	[14, 'drop table tenant_usage; drop table usage_writers'],
	[13, `drop table tenant_receipts;
		alter table tenants drop column suspended_from, drop column suspended_at,
			drop column suspend_reason, drop column deleted_at, drop column end_order,
			drop column end_serial, drop column end_ordered_at, drop column end_attempt,
			drop column end_until, drop column end_error`],
	[12, `alter table tenants drop column neon_wished, drop column neon_applied,
		drop column neon_before, drop column neon_held, drop column neon_attempt,
		drop column neon_until, drop column neon_tries, drop column neon_error,
		drop column neon_asked_until`],
	[11, `alter table api_keys drop column scopes, drop column expires_at, drop column last_used_at,
		drop column limited_sha256;
		drop index api_keys_newest, api_keys_kind_newest, api_keys_tenant_newest;
		create index api_keys_tenant on api_keys (tenant_id)`],
	[10, `drop function documents_admit_timely;
		alter table documents drop column stored_expires_at`],
	[9, `drop function documents_admit; drop index documents_ingesting;
		alter table documents drop column attempt_bytes, drop column attempt_sha256`],
	[8, `alter table tenants drop column documents_swept_at;
		drop index documents_tenant_expiry; create index documents_expiry on documents (expires_at)`],
	[7, `alter table documents drop column owner_id, drop column expires_at;
		drop index documents_sha256;
		alter table users add unique (email);
		alter table tenants drop column settings`],
	[6, 'alter table documents drop column reason'],
	[5, 'drop table seal_readers'],
	[4, 'drop table installation; alter table tenants drop column rechecked_at, drop column rechecks'],
	[3, 'alter table tenants drop column not_before, drop column refusals'],
];

// The statements that take a catalog of this build's back to the given version, 2 at the least.
export function backToVersion(version) {
	const scripts = made.filter(([number]) => number > version).map(([, undo]) => undo);
	return [...scripts, `delete from tenantgate_schema where version > ${version}`].join(';\n');
}
